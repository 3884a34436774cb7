import assert from "node:assert/strict";
import { join } from "node:path";
import { sourceError } from "../../extract/source_error.ts";
import { queryRow } from "../../lib/postgres/postgres.ts";
import { openDuckDb } from "../../lib/duckdb/duckdb.ts";
import { readConfig } from "../../lib/settings/config.ts";
import { copiedRowsSql, copyRows } from "../../verify/copied_rows.ts";
import { inFolder } from "../harness/in_folder.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";

Deno.test("copyRows() blames the folder of temporary files, not the server, for a file that it can't write", () =>
  inFolder(async (folder) => {
    await using database = await openTestDatabase();
    const { client } = database;
    const gone = join(folder, "gone");

    await assert.rejects(
      copyRows(client, {
        select: "select 1 as n",
        columns: ["n"],
        path: join(gone, "rows.csv"),
      }).catch((error) => {
        throw sourceError(error, "server:5432/database");
      }),
      {
        name: "StageError",
        message: new RegExp(`^Cannot use TEMP_DIRECTORY ${gone}: `),
        subject: gone,
        hint: /^Set it to a folder with free space/,
      },
    );

    assert.equal((await queryRow(client, "select 1 as n")).n, 1);
  }));

Deno.test("copied rows are read whole, however long they are, in buffers for two of the longest", () =>
  inFolder(async (folder) => {
    await using database = await openTestDatabase();
    await using duckdb = await openDuckDb(
      readConfig(
        (name) => name === "TEMP_DIRECTORY" ? join(folder, "temp") : undefined,
        [],
      ),
      { zones: [folder] },
    );
    for (
      const { length, between, lineBytesMax } of [
        { length: 9, between: "", lineBytesMax: 15 },
        { length: 3_000_001, between: "", lineBytesMax: 3_000_007 },
        { length: 3_000_001, between: "\\n", lineBytesMax: undefined },
      ]
    ) {
      const copied = await copyRows(database.client, {
        select: `select n, e'a${between}' || repeat('x', case n % 100
            when 7 then ${length} else 1 end) as long_text
          from generate_series(1, 300) as n`,
        columns: ["n", "long_text"],
        path: join(folder, "rows.csv"),
      });

      const read = await duckdb.rows(
        `select length(long_text) as length, count(*) as rows
        from ${copiedRowsSql(copied)} group by all order by length`,
      );

      assert.equal(copied.lineBytesMax, lineBytesMax);
      const others = 1 + (between === "" ? 0 : 1);
      assert.deepEqual(read, [
        { length: String(others + 1), rows: "297" },
        { length: String(others + length), rows: "3" },
      ]);
      await Deno.remove(copied.path);
    }
  }));
