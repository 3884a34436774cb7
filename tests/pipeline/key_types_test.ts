import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";

/** Live types of keys, each with three values that are not the same. */
const KEYS: [type: string, values: [string, string, string]][] = [
  ["numeric", ["1.50", "-0.000000000000000000000000000000000000000001", "NaN"]],
  ["numeric(40,0)", ["1", "12345678901234567890123456789012345678", "-7"]],
  ["mood", ["happy", 'so, "so"', "sad"]],
  ["mood[]", ["{happy}", '{"so, \\"so\\""}', "{sad,NULL}"]],
  ["label", ["a", "", "it's"]],
  ["positive", ["1", "2", "3"]],
  ["bytea", ["\\x00ff", "\\x", "\\x5c"]],
  ["inet", ["10.0.0.1", "10.0.0.0/8", "::1"]],
  ["double precision", ["0.1", "-0", "NaN"]],
  ["real", ["0.1", "1e30", "-Infinity"]],
  ["time without time zone", ["10:00", "24:00", "10:00:00.000001"]],
  ["time with time zone", ["10:00+02", "10:00-07", "23:59:59+00"]],
  ["timestamp with time zone", [
    "2024-01-01 00:00+02",
    "infinity",
    "2024-01-01",
  ]],
  ["character(5)", ["a", "ab", "abcde"]],
  ["character varying(9)", ["a ", "a", "A"]],
  ["interval", ["1 day", "-1 mon 2 days 03:00", "00:00:00.5"]],
  ["money", ["1.50", "-2", "1000"]],
  ["pair", ['(1,"a,b")', "(2,)", "(,)"]],
  ["int4range", ["[1,5)", "empty", "(,3)"]],
  ["span", ["[10:00,11:00]", "empty", "(,12:00)"]],
  ["integer[]", ["{1,2}", "{}", "{NULL}"]],
  ["bit(3)", ["101", "000", "111"]],
  ["jsonb", ['{"a": 1.0}', "null", '"x"']],
  ["boolean", ["true", "false", "true"]],
  ["date", ["2024-02-29", "infinity", "0044-03-15 BC"]],
  ['"char"', ["a", "b", ""]],
  ["macaddr", ["08:00:2b:01:02:03", "08:00:2b:01:02:04", "08:00:2b:01:02:05"]],
  ["oid", ["1", "2", "4294967295"]],
  ["name", ["a", "b", "c"]],
  ["loose", ["a", "b", "c"]],
];
const TABLES = KEYS.map(([type, values], index) => ({
  name: `t${index}`,
  type,
  values: [...new Set(values)],
}));
/** A row of this table, written last, vouches that others were deleted. */
const LAST = "create table last (\n    id integer not null,\n" +
  "    code text,\n    note text,\n    primary key (id)\n);\n";
const TYPES = `
  create type mood as enum ('happy', 'so, "so"', 'sad');
  create domain label as varchar(20);
  create domain positive as integer check (value > 0);
  create type pair as (a integer, b text);
  create type span as range (subtype = time);
  create collation loose_order (provider = icu, locale = 'und-u-ks-level2',
    deterministic = false);
  create domain loose as text collate loose_order;`;
const SQL = companyOf(
  LAST + TABLES.map(({ name, type }) =>
    `create table ${name} (
    -- carried from ${type}
    code text not null,
    note text,
    primary key (code)
);
create table ${name}_two (
    id integer not null,
    -- carried from ${type}
    code text not null,
    note text,
    primary key (id, code)
);`
  ).join("\n").replace(
    /-- carried from character varying\(9\)\n/g,
    "-- of text\n",
  ),
);
const SOURCE = TYPES + LAST +
  TABLES.map(({ name, type }) =>
    `create table ${name} (code ${type} primary key, note text);
  create table ${name}_two (id integer, code ${type}, note text,
    primary key (code, id));`
  ).join("\n");

/** Runs statements on every table, `$table`, with one of its values each. */
async function onEach(
  platform: Platform,
  statement: (
    options: { id: string; code: (index: number) => string },
  ) => string,
): Promise<void> {
  for (const { name, type, values } of TABLES) {
    const code = (index: number) =>
      `'${
        (values[index % values.length] ?? "").replaceAll("'", "''")
      }'::${type}`;
    await execute(
      platform.source.client,
      statement({ id: "", code }).replaceAll("$table", name),
      statement({ id: "7, ", code }).replaceAll("$table", `${name}_two`),
    );
  }
}

async function assertSame(platform: Platform): Promise<void> {
  for (const { name: table } of SQL.tables) {
    const read = async (client: Platform["source"]["client"], from: string) =>
      await query(
        client,
        `select code::text as code, note from ${from} order by 1, 2`,
      );
    assert.deepEqual(
      await read(
        platform.warehouse.client,
        `fact_${table} where to_batch is null`,
      ),
      await read(platform.source.client, table),
      `${table} ${TABLES.find(({ name }) => table.startsWith(name))?.type}`,
    );
  }
}

Deno.test("inserts, updates and deletes are followed for keys of any type", async () => {
  await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
  const { client } = platform.source;
  await client.query("set timezone to 'UTC'; set intervalstyle to 'iso_8601'");
  let last = 0;
  const run = async () => {
    await client.query(`insert into last values (${++last})`);
    await platform.run();
    await assertSame(platform);
  };
  await onEach(
    platform,
    ({ id, code }) => `insert into $table values (${id}${code(0)}, 'first')`,
  );
  await run();
  await run();
  await onEach(
    platform,
    ({ id, code }) => `insert into $table values (${id}${code(1)}, 'second')`,
  );
  await run();
  await onEach(
    platform,
    ({ code }) => `update $table set note = 'later' where code = ${code(1)}`,
  );
  await run();
  await onEach(
    platform,
    ({ code }) => `delete from $table where code = ${code(1)}`,
  );
  await run();
  await onEach(
    platform,
    ({ code }) => `update $table set code = ${code(2)} where code = ${code(0)}`,
  );
  await run();
  await platform.extract({ fullRead: true });
  await platform.transform();
  await platform.load();
  await assertSame(platform);
  const reasons = platform.logged.flatMap((line) =>
    /is read whole: (.*)/.exec(line)?.[1] ?? []
  );
  assert.deepEqual([...new Set(reasons)], ["it was asked for"]);
});
