import assert from "node:assert/strict";
import { join, relative, sep as SEPARATOR } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { PROJECT_SQL } from "../harness/platform.ts";

/**
 * What is of one company: its SQL, the demo of its trade, other examples, and
 * what tells or tests all that. Everything else runs on the SQL of any.
 */
const OF_A_COMPANY = ["sql", "demo", "examples", "tests", "docs"];
/** What nobody writes. */
const GENERATED = ["node_modules", "dist", "coverage"];
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
    if (name.startsWith(".") || GENERATED.includes(name)) continue;
    if (isDirectory) yield* textsOf(path);
    else if (/\.(ts|sql|tf|js|html|sh|yaml)$/.test(name)) {
      yield [path, await Deno.readTextFile(path)];
    }
  }
}

Deno.test("no code but that of the demo names a table or column of the company that ships", async () => {
  const pattern = new RegExp(`\\b(${NAMES.join("|")})\\b`);
  const found: string[] = [];
  let count = 0;
  for await (const [path, text] of textsOf(platformDirectory())) {
    const [folder = ""] = relative(platformDirectory(), path).split(SEPARATOR);
    if (OF_A_COMPANY.includes(folder)) continue;
    count++;
    const [name] = pattern.exec(text) ?? [];
    if (name !== undefined) found.push(`${path}: ${name}`);
  }

  assert.deepEqual(found, []);
  assert.ok(count > 500, `${count} files`);
});
