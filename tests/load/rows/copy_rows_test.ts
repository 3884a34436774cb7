import assert from "node:assert/strict";
import type { Progress } from "../../../lib/cli/progress.ts";
import { connect } from "../../../lib/postgres/connect.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import { copyRows } from "../../../load/rows/copy_rows.ts";
import {
  openTestDatabase,
  type TestDatabase,
} from "../../harness/servers/postgres.ts";

Deno.test("copyRows() fills a table, with the values that all rows share", async () => {
  await using database = await openTable();
  const done = { rows: 0, bytes: 0 };
  const progress: Progress = {
    begin() {},
    end() {},
    add: ({ rows = 0, bytes = 0 }) => {
      done.rows += rows;
      done.bytes += bytes;
    },
  };

  await copy(database, {
    text: '1,"a ""b"", c\n"\n2,\n3,""\n',
    rows: 3,
    constants: { batch: "7", stamp: "it's" },
    progress,
  });

  const rows = await query(
    database.client,
    "select * from target order by id",
  );
  assert.deepEqual(
    rows.map(({ note, batch, stamp }) => [note, String(batch), stamp]),
    [['a "b", c\n', "7", "it's"], [null, "7", "it's"], ["", "7", "it's"]],
  );
  const [later] = await query(
    database.client,
    "insert into target values (9) returning batch",
  );
  assert.equal(later?.batch, null);
  assert.deepEqual(done, { rows: 3, bytes: 24 });
});

Deno.test("copyRows() refuses a number of rows other than was written", async () => {
  await using database = await openTable();

  await assert.rejects(
    copy(database, { text: "1,a\n", rows: 2 }),
    {
      name: "StageError",
      message: "Cannot load target: 1 of 2 rows received",
      subject: "target",
      retryable: false,
      hint: /^A trigger on it skips rows: drop it\./,
    },
  );
});

Deno.test("copyRows() throws the server's error", async () => {
  await using database = await openTable();

  await assert.rejects(
    copy(database, { text: "one,a\n", rows: 1 }),
    /invalid input syntax for type integer: "one"/,
  );

  const rows = await query(database.client, "select * from target");
  assert.deepEqual(rows, []);
});

async function openTable(): Promise<TestDatabase> {
  const database = await openTestDatabase();
  await database.client.query(
    "create table target (id integer, note text, batch bigint, stamp text)",
  );
  return database;
}

async function copy(
  database: TestDatabase,
  options: {
    text: string;
    rows: number;
    constants?: Record<string, string>;
    progress?: Progress;
  },
): Promise<void> {
  const { rows, constants = {} } = options;
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  await copyRows(
    connection.client,
    {
      format: "csv",
      pieces: new Blob([options.text]).stream(),
      rows: () => rows,
      columns: ["id", "note"],
      constants,
    },
    {
      table: "target",
      freeze: false,
      progress: options.progress ?? { begin() {}, add() {}, end() {} },
    },
  );
}
