import { relative } from "node:path";

/** The coverage of some folders, in percent, with a table of their files. */
export interface Coverage {
  lines: number;
  branches: number;
  table: string;
}

interface Counts {
  linesFound: number;
  linesHit: number;
  branchesFound: number;
  branchesHit: number;
}

/** Reads what `deno test --coverage` wrote, by way of its lcov report. */
export async function lineAndBranchCoverage(
  data: string,
  options: { project: string; folders: string[]; without: string[] },
): Promise<Coverage> {
  const { project, folders, without } = options;
  const report = await new Deno.Command(Deno.execPath(), {
    args: ["coverage", "--lcov", data],
    cwd: project,
    stderr: "null",
  }).output();
  const files = new Map<string, Counts>();
  let counts: Counts | undefined;
  for (const line of new TextDecoder().decode(report.stdout).split("\n")) {
    const [field = "", value = ""] = line.split(/:(.*)/);
    if (field === "SF") {
      const file = relative(project, value);
      const wanted = folders.some((folder) => file.startsWith(`${folder}/`)) &&
        !without.includes(file);
      counts = { linesFound: 0, linesHit: 0, branchesFound: 0, branchesHit: 0 };
      if (wanted) files.set(file, counts);
    }
    if (counts === undefined) continue;
    if (field === "LF") counts.linesFound = Number(value);
    if (field === "LH") counts.linesHit = Number(value);
    if (field === "BRF") counts.branchesFound = Number(value);
    if (field === "BRH") counts.branchesHit = Number(value);
  }
  const sum = (of: (file: Counts) => number) =>
    [...files.values()].reduce((total, file) => total + of(file), 0);
  const lines = percent(sum((f) => f.linesHit), sum((f) => f.linesFound));
  const branches = percent(
    sum((f) => f.branchesHit),
    sum((f) => f.branchesFound),
  );
  const rows = [...files].sort().map(([name, file]) =>
    row(
      name,
      percent(file.linesHit, file.linesFound),
      percent(file.branchesHit, file.branchesFound),
    )
  );
  return {
    lines,
    branches,
    table: [
      "file                               lines  branches",
      ...rows,
      row("all", lines, branches),
    ].join("\n"),
  };
}

function percent(hit: number, found: number): number {
  return found === 0 ? 100 : 100 * hit / found;
}

function row(name: string, lines: number, branches: number): string {
  return `${name.padEnd(34)} ${lines.toFixed(1).padStart(5)}  ${
    branches.toFixed(1).padStart(8)
  }`;
}
