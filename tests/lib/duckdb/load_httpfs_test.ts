import assert from "node:assert/strict";
import { join } from "node:path";
import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { fetchHttpfs } from "../../../lib/duckdb/httpfs.ts";
import { type Config, readConfig } from "../../../lib/settings/config.ts";
import { inFolder } from "../../harness/in_folder.ts";

/** Whether a DuckDB that is opened now would load unsigned extensions. */
async function loadsUnsigned(config: Config): Promise<boolean> {
  await using duckdb = await openDuckDb(config, { zones: [] });
  const [found] = await duckdb.rows(
    "select current_setting('allow_unsigned_extensions') as unsigned",
  );
  await assert.rejects(
    duckdb.run("load '/tmp/other.duckdb_extension'"),
    /Loading external extensions is disabled/,
  );
  return found?.unsigned === "true";
}

Deno.test("openDuckDb() checks httpfs once, and again when its file has changed", () =>
  inFolder(async (folder) => {
    const own = Deno.env.get("DUCKDB_EXTENSION_DIRECTORY");
    const installed = await fetchHttpfs(own ?? join(folder, "fetched"));
    const directory = join(folder, "extensions");
    const file = join(directory, installed.split("/").slice(-3).join("/"));
    await Deno.mkdir(join(file, ".."), { recursive: true });
    await Deno.copyFile(installed, file);
    const env: Record<string, string> = {
      TEMP_DIRECTORY: join(folder, "temp"),
      DUCKDB_EXTENSION_DIRECTORY: directory,
    };
    const config: Config = {
      ...readConfig((name) => env[name], []),
      s3: { region: "r", accessKeyId: "key", secretAccessKey: "secret" },
    };
    assert.equal(await loadsUnsigned(config), false);
    assert.equal(await loadsUnsigned(config), true);

    const bytes = await Deno.readFile(file);
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    // A new file: the old one is mapped into this process.
    await Deno.writeFile(`${file}.new`, bytes);
    await Deno.rename(`${file}.new`, file);
    await assert.rejects(loadsUnsigned(config), {
      name: "StageError",
      message: /Cannot load DuckDB's httpfs extension: .*signature/s,
    });

    await Deno.copyFile(installed, `${file}.new`);
    await Deno.rename(`${file}.new`, file);
    assert.equal(await loadsUnsigned(config), false);
    assert.equal(await loadsUnsigned(config), true);
  }));
