import assert from "node:assert/strict";
import { join } from "node:path";
import { copyProject } from "../harness/copy_project.ts";
import { inFolder } from "../harness/in_folder.ts";
import { type Mutation, MUTATIONS } from "./mutations.ts";

/** Within so many histories each of the mistakes must show. */
const SEEDS_MAX = 50;
const COPIED = [
  "extract",
  "transform",
  "load",
  "operate",
  "verify",
  "sweep",
  "embedded",
  "lib",
  "sql",
  "demo",
  "examples",
  "tests",
  "deno.json",
  "deno.lock",
];

for (const mutation of MUTATIONS) {
  Deno.test(`simulate notices when ${mutation.name}`, () =>
    inFolder(async (folder) => {
      await copyProject(folder, [...COPIED, ".duckdb"]);
      await mutate(folder, mutation);
      const { seed, finds } = mutation;

      const { code, output } = await simulateIn(folder, {
        from: seed,
        to: seed + SEEDS_MAX - 1,
      });

      const [, found = ""] = /^FAILED seed \d+: (.*)/m.exec(output) ?? [];
      assert.match(found, finds, output);
      assert.equal(code, 1, output);
    }));
}

for (const mutation of MUTATIONS.filter((one) => one.isPrepared)) {
  Deno.test(`simulate finds nothing in what prepares that ${mutation.name}`, () =>
    inFolder(async (folder) => {
      await copyProject(folder, [...COPIED, ".duckdb"]);
      const edits = mutation.edits.slice(0, -1);
      await mutate(folder, { ...mutation, edits });

      // Of its own seed the history is verified, by a reading of the source
      // that knows nothing of what prepares.
      await assertFindsNothing(folder, mutation.seed + 1);
    }));
}

// That many histories find nothing is what `deno task simulate` shows.
Deno.test("simulate finds nothing in a copy where nothing was changed", () =>
  inFolder(async (folder) => {
    await copyProject(folder, [...COPIED, ".duckdb"]);

    await assertFindsNothing(folder, 1);
  }));

async function assertFindsNothing(folder: string, seed: number): Promise<void> {
  const { code, output } = await simulateIn(folder, { from: seed, to: seed });

  assert.match(output, /^1 passed, 0 failed$/m, output);
  assert.equal(code, 0, output);
}

async function mutate(folder: string, mutation: Mutation): Promise<void> {
  for (const { file, find, replace } of mutation.edits) {
    const path = join(folder, file);
    const text = await Deno.readTextFile(path);
    const places = text.split(find).length - 1;
    assert.equal(places, 1, `${file} holds ${places} times: ${find}`);
    await Deno.writeTextFile(path, text.replace(find, () => replace));
  }
}

async function simulateIn(
  folder: string,
  seeds: { from: number; to: number },
): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "tests/simulator/main.ts",
      "--seeds",
      `${seeds.from}..${seeds.to}`,
      // Tasks may load native code of their own folder only.
      "--in-process",
      // What the first seed finds is looked at, not what is found first.
      "--jobs",
      "1",
      "--fail-fast",
    ],
    cwd: folder,
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, output: text(stdout) + text(stderr) };
}
