import assert from "node:assert/strict";
import { join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { PROJECT_SQL } from "../harness/platform.ts";

/** All that runs on the SQL of any company. */
const ENGINE = [
  "extract",
  "transform",
  "load",
  "verify",
  "operate",
  "sweep",
  "init",
  "lib",
  "package",
  "embedded",
  "infra",
  "visualise",
];
/** Tables of Totesys whose names are words that code needs. */
const WORDS = ["address", "currency", "design", "payment", "transaction"];

/** What only the company that ships has: its tables, columns and models. */
const NAMES = [
  ...PROJECT_SQL.tables.map(({ name }) => name),
  ...PROJECT_SQL.tables.flatMap(({ columns }) =>
    columns.map(({ name }) => name).filter((name) => name.includes("_"))
  ),
  ...PROJECT_SQL.models.map(({ name }) => name),
].filter((name) => !WORDS.includes(name));

async function* textsOf(folder: string): AsyncGenerator<[string, string]> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* textsOf(path);
    else if (/\.(ts|sql|tf|js|html)$/.test(name)) {
      yield [path, await Deno.readTextFile(path)];
    }
  }
}

Deno.test("the code of the stages names no table or column of the company that ships", async () => {
  const pattern = new RegExp(`\\b(${NAMES.join("|")})\\b`);
  const found: string[] = [];
  for (const folder of ENGINE) {
    for await (
      const [path, text] of textsOf(join(platformDirectory(), folder))
    ) {
      const [name] = pattern.exec(text) ?? [];
      if (name !== undefined) found.push(`${path}: ${name}`);
    }
  }

  assert.deepEqual(found, []);
});
