import assert from "node:assert/strict";
import { type DuckDb, openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import { binaryContent, csvContent } from "../../../load/rows/copy_content.ts";
import { copyRows } from "../../../load/rows/copy_rows.ts";
import {
  openTestDatabase,
  type TestDatabase,
} from "../../harness/servers/postgres.ts";

/** DuckDB's type, Postgres's, and values of it: limits, signs, digits. */
const TYPES: readonly [string, string, readonly string[]][] = [
  ["SMALLINT", "smallint", ["-32768", "32767", "0", "-1"]],
  ["SMALLINT", "bigint", ["-32768", "32767"]],
  ["INTEGER", "integer", ["-2147483648", "2147483647", "0", "-1"]],
  ["INTEGER", "bigint", ["-2147483648", "2147483647", "-1"]],
  [
    "BIGINT",
    "bigint",
    [
      "-9223372036854775808",
      "9223372036854775807",
      "-1",
      "0",
      "4294967295",
      "4294967296",
      "-4294967296",
      "9007199254740993",
    ],
  ],
  ["BOOLEAN", "boolean", ["true", "false"]],
  [
    "DATE",
    "date",
    [
      "2000-01-01",
      "1999-12-31",
      "0001-01-01",
      "4714-11-24 (BC)",
      "5874897-12-31",
      "infinity",
      "-infinity",
    ],
  ],
  [
    "VARCHAR",
    "time without time zone",
    ["00:00:00", "23:59:59.999999", "12:30:01.5", "09:08:07.060"],
  ],
  ...["timestamp without time zone", "timestamp with time zone"].map((
    target,
  ): [string, string, string[]] => [
    "TIMESTAMP",
    target,
    [
      "2000-01-01 00:00:00",
      "1999-12-31 23:59:59.999999",
      "4714-11-24 (BC) 00:00:00",
      "294246-12-31 23:59:59.999999",
      "infinity",
      "-infinity",
    ],
  ]),
  [
    "TIMESTAMP WITH TIME ZONE",
    "timestamp with time zone",
    ["2026-06-01 12:00:00.000001+02", "infinity"],
  ],
  [
    "DECIMAL(15,2)",
    "numeric(15,2)",
    [
      "9999999999999.99",
      "-9999999999999.99",
      "0.00",
      "-0.01",
      "10000.00",
      "9999.99",
      "100000000.01",
      "1000000000000.00",
    ],
  ],
  ["DECIMAL(15,0)", "numeric(15,0)", ["999999999999999", "-10000", "0"]],
  [
    "DECIMAL(15,12)",
    "numeric",
    ["999.999999999999", "-0.000000000001", "1.000000000000", "0.000100000000"],
  ],
  ["DECIMAL(9,5)", "numeric(12,5)", ["9999.99999", "-1234.50000", "0.00001"]],
];

Deno.test("binaryContent() stores the same values as csvContent()", async () => {
  await using database = await openTestDatabase();
  await using duckdb = await openTestDuckDb();
  for (const [type, target, values] of TYPES) {
    const select = `select row_number() over () as id,
      cast(unnest([null, ${
      values.map(quote).join(", ")
    }]) as ${type}) as given`;
    await database.client.query(
      `drop table if exists one, other; create table one (
        id bigint, given ${target}); create table other (like one)`,
    );
    const types = new Map([["id", ["bigint"]], ["given", [target]]]);
    const from = `(${select})`;
    const subject = "values";

    const binary = await binaryContent(duckdb, {
      select,
      subject,
      from,
      lacking: [],
      types,
    });
    assert.ok(binary, `${type} as ${target}`);
    await copy(database, "one", binary);
    const path = `${duckdb.tempDirectory}/rows.csv`;
    const isOneColumn = false;
    const csv = await csvContent(duckdb, {
      select,
      subject,
      path,
      isOneColumn,
    });
    await copy(database, "other", csv);

    const [one, other] = await Promise.all(
      ["one", "other"].map((table) =>
        query(
          database.client,
          `select id, given::text from ${table} order by id`,
        )
      ),
    );
    assert.equal(one?.length, values.length + 1);
    assert.deepEqual(one, other, `${type} as ${target}`);
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  }
});

Deno.test("binaryContent() sends rows that fill many chunks", async () => {
  await using database = await openTestDatabase();
  await using duckdb = await openTestDuckDb();
  await database.client.query("create table one (id integer, given bigint)");
  const select =
    "select cast(range as integer) as id, 10 * range as given from range(100_000)";
  const types = new Map([["id", ["integer"]], ["given", ["bigint"]]]);

  const binary = await binaryContent(duckdb, {
    select,
    subject: "values",
    from: `(${select})`,
    lacking: [],
    types,
  });
  assert.ok(binary);
  // Other statements don't end it.
  await duckdb.rows("select 1");
  await copy(database, "one", binary);

  const [found] = await query(
    database.client,
    `select count(*)::text as rows, sum(id)::text as sum from one
    where given = 10 * id`,
  );
  assert.deepEqual(found, { rows: "100000", sum: "4999950000" });
});

Deno.test("binaryContent() leaves types to CSV that would differ or be slower", async () => {
  await using duckdb = await openTestDuckDb();
  const time = "time without time zone";
  const cases: [string, string][] = [
    ["cast('24:00:00' as varchar)", time],
    ["cast('01:30:00 PM' as varchar)", time],
    ["cast('1:2:3' as varchar)", time],
    ["cast(1 as integer)", "smallint"],
    ["cast(1 as bigint)", "integer"],
    ["cast(1.5 as double)", "double precision"],
    ["cast(1 as decimal(16,2))", "numeric(16,2)"],
    ["cast(1 as decimal(15,13))", "numeric(15,13)"],
    ["cast(now() as timestamptz)", "timestamp without time zone"],
    ["cast(now() as timestamp)", "timestamp(3) without time zone"],
    ["'a'", "text"],
    ["'a'", "citext"],
    ["'a'", "text[]"],
    ["cast(1 as decimal(9,2))", "numeric(9,2)[]"],
  ];
  for (const [value, target] of cases) {
    const select = `select ${value} as given`;
    const content = await binaryContent(duckdb, {
      select,
      subject: "values",
      from: `(${select})`,
      lacking: [],
      types: new Map([["given", [target]]]),
    });
    assert.equal(content, undefined, `${value} as ${target}`);
  }
});

Deno.test("an unfinished result doesn't keep DuckDB open", async () => {
  const duckdb = await openTestDuckDb();
  const chunks = await duckdb.chunks("select * from range(10_000_000)");
  for await (const { rowCount } of chunks) {
    assert.ok(rowCount > 0);
    break;
  }
  await duckdb.chunks("select * from range(10_000_000)");

  await duckdb[Symbol.asyncDispose]();
});

function openTestDuckDb(): Promise<DuckDb> {
  return openDuckDb(readConfig(() => undefined, []), { zones: [] });
}

function quote(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

async function copy(
  { client }: TestDatabase,
  table: string,
  content: Awaited<ReturnType<typeof csvContent>>,
): Promise<void> {
  await client.query("set timezone = 'UTC'");
  await copyRows(
    client,
    { ...content, columns: ["id", "given"], constants: {} },
    {
      table,
      freeze: false,
      progress: { begin() {}, add() {}, end() {} },
    },
  );
}
