import { join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";
import type { ProcessReport } from "./count_calls.ts";

/** What a run of an entrypoint took. */
export interface Measured extends ProcessReport {
  seconds: number;
  /** Its standard output. */
  output: string;
}

const COUNTER = join(platformDirectory(), "bench", "year", "count_calls.ts");

/** Starts an entrypoint as a process that counts its calls to zones. */
export function startProcess(
  args: readonly string[],
  options: { env: Readonly<Record<string, string>>; report: string },
): Deno.ChildProcess {
  const [main = "", ...rest] = args;
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      `--preload=${COUNTER}`,
      join(platformDirectory(), main),
      ...rest,
    ],
    env: { ...options.env, BENCH_REPORT: options.report },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** Runs an entrypoint to its end; throws if it fails. */
export async function runProcess(
  args: readonly string[],
  options: { env: Readonly<Record<string, string>> },
): Promise<Measured> {
  const report = await Deno.makeTempFile({ prefix: "totesys-bench-" });
  try {
    const start = performance.now();
    const process = startProcess(args, { ...options, report });
    const { success, stdout } = await process.output();
    const seconds = (performance.now() - start) / 1000;
    const output = new TextDecoder().decode(stdout);
    if (!success) throw new Error(`${args.join(" ")} failed: ${output}`);
    return { ...await readReport(report), seconds, output };
  } finally {
    await Deno.remove(report);
  }
}

/** Reads the report of a process that has ended. */
export async function readReport(report: string): Promise<ProcessReport> {
  return JSON.parse(await Deno.readTextFile(report));
}
