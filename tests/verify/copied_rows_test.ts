import assert from "node:assert/strict";
import { join } from "node:path";
import { sourceError } from "../../extract/table_error.ts";
import { queryRow } from "../../lib/postgres/postgres.ts";
import { copyRows } from "../../verify/copied_rows.ts";
import { inFolder } from "../harness/in_folder.ts";
import { openTestDatabase } from "../harness/postgres.ts";

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
