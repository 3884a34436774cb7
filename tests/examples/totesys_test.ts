import assert from "node:assert/strict";
import { join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { SOURCE_SQL } from "../harness/platform.ts";
import { SQL_DIRECTORY } from "../harness/companies/sql_directory.ts";

const OWN = join(platformDirectory(), "sql");
/** The texts of a folder's files, by their paths in it. */
async function textsOf(folder: string): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for await (const { name, isFile } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isFile) texts[name] = await Deno.readTextFile(path);
    else {
      for (const [file, text] of Object.entries(await textsOf(path))) {
        texts[`${name}/${file}`] = text;
      }
    }
  }
  return texts;
}

/** Whether the project's `sql/` is still about the company that ships. */
const isTotesys = await Deno.readTextFile(join(OWN, "source.sql"))
  .then((text) => text === SOURCE_SQL, () => false);

Deno.test({
  name: "sql/ ships as the example that the tests run on",
  // Whoever has another company there has tests of its own.
  ignore: !isTotesys,
  fn: async () => {
    assert.deepEqual(
      await textsOf(OWN),
      await textsOf(SQL_DIRECTORY),
      "sql/ and examples/totesys/sql differ: change both",
    );
  },
});
