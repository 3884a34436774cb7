import assert from "node:assert/strict";
import { join } from "node:path";
import { readParquetSql } from "../../../lib/duckdb/data_files.ts";
import { type DuckDb, openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import { sha256OfStream } from "../../../lib/zone/checksum.ts";
import { DirectoryZone } from "../../../lib/zone/directory_zone.ts";
import { writeParquet } from "../../../transform/files/write_parquet.ts";
import { inFolder } from "../../harness/in_folder.ts";

const KEY = "model/batch=000000001/run-1.parquet";

Deno.test("writeParquet() returns the file's rows, bytes and checksum", () =>
  inZone(async (zone, duckdb) => {
    const file = await writeParquet(
      duckdb,
      "select range as n, 0.1::decimal(10,2) as money from range(1000)",
      { zone, key: KEY },
    );

    const { sha256, bytes } = await sha256OfStream(await zone.stream(KEY));
    assert.deepEqual(file, { key: KEY, rows: 1000, bytes, sha256 });
    const [sums] = await duckdb.rows(
      `select sum(n) as n, sum(money) as money
      from ${readParquetSql(zone, [{ key: KEY }])}`,
    );
    assert.deepEqual(sums, { n: "499500", money: "100.00" });
  }));

Deno.test("writeParquet() writes no file without rows", () =>
  inZone(async (zone, duckdb) => {
    const select = "select 1 as n where false";

    assert.equal(
      await writeParquet(duckdb, select, { zone, key: KEY }),
      undefined,
    );
  }));

Deno.test("writeParquet() names the place that it can't write", () =>
  inZone(async (zone, duckdb) => {
    await Deno.writeTextFile(zone.locate("model"), "a file in the way");

    await assert.rejects(
      writeParquet(duckdb, "select 1 as n", { zone, key: KEY }),
      {
        name: "StageError",
        message: new RegExp(`^Cannot write ${zone.locate(KEY)}: `),
        subject: zone.locate(KEY),
        retryable: true,
        hint: /^Check the free space and the rights there/,
      },
    );
  }));

Deno.test("writeParquet() does not write outside its zones", () =>
  inZone(async (zone, duckdb) => {
    const elsewhere = new DirectoryZone(`${zone.url}-elsewhere`);

    await assert.rejects(
      writeParquet(duckdb, "select 1 as n", { zone: elsewhere, key: KEY }),
      { name: "StageError", subject: elsewhere.locate(KEY) },
    );

    await assert.rejects(
      Deno.stat(elsewhere.locate(KEY)),
      Deno.errors.NotFound,
    );
  }));

Deno.test("writeParquet() refuses a file with other rows than were written", () =>
  inZone(async (zone, duckdb) => {
    const cut: DuckDb = {
      ...duckdb,
      rows: async (sql) => {
        const rows = await duckdb.rows(sql);
        if (!sql.startsWith("copy")) return rows;
        return rows.map((row) => ({ ...row, count: "7" }));
      },
    };

    await assert.rejects(
      writeParquet(cut, "select 1 as n", { zone, key: KEY }),
      {
        name: "StageError",
        message: /bytes and 1 row was found, \d+ and 7 were written$/,
        subject: zone.locate(KEY),
      },
    );
  }));

Deno.test("writeParquet() passes on the zone's error", () =>
  inZone(async (zone, duckdb) => {
    const refusing = new DirectoryZone(zone.url);
    refusing.stream = () => zone.stream("none");

    await assert.rejects(
      writeParquet(duckdb, "select 1 as n", { zone: refusing, key: KEY }),
      { name: "StageError", subject: zone.url, message: /Cannot read "none"/ },
    );
  }));

async function inZone(
  test: (zone: DirectoryZone, duckdb: DuckDb) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const env: Record<string, string> = {
      TEMP_DIRECTORY: join(folder, "temp"),
    };
    const zone = new DirectoryZone(join(folder, "zone"));
    await Deno.mkdir(zone.url);
    await using duckdb = await openDuckDb(
      readConfig((name) => env[name], []),
      { zones: [zone.url] },
    );
    await test(zone, duckdb);
  });
}
