import assert from "node:assert/strict";
import { readLiveTables } from "../../extract/live_table.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { execute } from "../harness/platform.ts";
import { openClient, openTestDatabase } from "../harness/servers/postgres.ts";
import { itemSql, read } from "./item_table.ts";

const FITTING: [name: string, changed: Record<string, string | null>][] = [
  ["a column of varchar for text", { label: "varchar(20)" }],
  ["a column of varchar without a length", { label: "varchar" }],
  ["a smaller numeric of the same scale", { price: "numeric(8,2) not null" }],
  ["an integer for bigint", { item_id: "integer not null" }],
  ["a smallint for bigint", { item_id: "smallint not null" }],
  ["timestamps of milliseconds", {
    made: "timestamp(3) not null",
    seen: "timestamptz(0)",
  }],
  ["a column that is never null for one that may be", {
    label: "text not null",
  }],
];

for (const [name, changed] of FITTING) {
  Deno.test(`readLiveTables() takes ${name}`, async () => {
    await using database = await openTestDatabase();

    const table = await read(database, itemSql(changed));

    assert.deepEqual(table.extraColumns, []);
    assert.equal(table.from, 'only "public"."item"');
  });
}

Deno.test("readLiveTables() takes types however PostgreSQL lets them be written", async () => {
  const types = [
    "char varying(5)",
    "national character varying(5)",
    "nchar varying",
    "nchar",
    "national char(3)",
    "bpchar",
    "bpchar(3)",
    "bit",
    "bit varying",
    "float(24)",
    "float (25)",
    "FLOAT",
    "integer array",
    "text ARRAY[4]",
    "timestamp(3) with time zone array",
    "dec(5)",
  ];
  const sql = `create table item (${
    types.map((type, index) => `c${index} ${type},\n`).join("")
  } item_id integer primary key)`;
  await using database = await openTestDatabase();
  await execute(database.client, sql);

  const [table] = await readLiveTables(database.client, {
    tables: parseContract(sql),
    sourceSchema: "public",
  });

  assert.equal(table?.contract.columns.length, types.length + 1);
});

Deno.test("readLiveTables() takes a key whose index includes other columns", async () => {
  await using database = await openTestDatabase();

  const table = await read(
    database,
    itemSql({}, { key: ", primary key (item_id) include (price, label)" }),
  );

  assert.deepEqual(table.contract.key, ["item_id"]);
});

Deno.test("readLiveTables() takes a type with or without its schema", async () => {
  await using database = await openTestDatabase();
  await execute(
    database.client,
    "create type mood as enum ('a')",
    'create schema "Other"',
    `create type "Other".mood as enum ('a')`,
    'create table item (id integer primary key, a mood, b "Other".mood[])',
  );
  const readAs = (a: string, b: string) =>
    readLiveTables(database.client, {
      sourceSchema: "public",
      tables: parseContract(`create table item (
    id integer not null,
    -- carried from ${a}
    a text,
    -- carried from ${b}
    b text,
    primary key (id)
);`),
    });

  await readAs("mood", '"Other".mood[]');
  await readAs("public.mood", "mood[]");
  await execute(database.client, "set search_path to pg_catalog");
  await readAs("mood", '"Other".mood[]');
  await assert.rejects(readAs("other.mood", "mood[]"), {
    message:
      'Cannot read "item": column "a" is now public.mood, the contract says other.mood',
  });
});

Deno.test("readLiveTables() takes a unique constraint for the key", async () => {
  await using database = await openTestDatabase();

  const table = await read(
    database,
    itemSql({}, { key: ", unique (label), unique (item_id)" }),
  );

  assert.equal(table.contract.name, "item");
});

Deno.test("readLiveTables() takes a deferrable key", async () => {
  await using database = await openTestDatabase();

  // No snapshot sees what they do before.
  const table = await read(
    database,
    itemSql({}, {
      key: ", unique (item_id) deferrable initially deferred",
    }),
  );

  assert.deepEqual(table.contract.key, ["item_id"]);
});

Deno.test("readLiveTables() takes a table that inherits, and reads it alone", async () => {
  await using database = await openTestDatabase();
  const { client } = database;

  const table = await read(
    database,
    itemSql({}, { name: "parent" }),
    "create table item (primary key (item_id)) inherits (parent)",
    "insert into parent values (1, 'its parent', 1, now())",
    "insert into item values (2, 'own', 1, now())",
  );

  const { rows } = await client.query(`select label from ${table.from}`);
  assert.deepEqual(rows, [{ label: "own" }]);
  assert.equal(table.parts.length, 1);
});

Deno.test("readLiveTables() finds the leaves of a partitioned table", async () => {
  await using database = await openTestDatabase();
  const { client } = database;

  const table = await read(
    database,
    `${itemSql()} partition by range (item_id)`,
    "create schema old",
    "create table old.low partition of item for values from (0) to (10)",
    `create table high partition of item for values from (10) to (100)
      partition by range (item_id)`,
    'create table "high\'s" partition of high default',
    "insert into item select n, 'x', 1, now() from generate_series(8, 12) as n",
  );

  assert.equal(table.from, '"public"."item"');
  const { rows } = await client.query(
    `select tableoid::text as oid, tableoid::regclass::text as name,
      count(*)::int as rows from ${table.from} group by tableoid order by 2 desc`,
  );
  assert.deepEqual(rows, [
    { oid: table.parts[0]?.oid, name: "old.low", rows: 2 },
    { oid: table.parts[1]?.oid, name: `"high's"`, rows: 3 },
  ]);
  assert.equal(table.parts.length, 2);
});

Deno.test("readLiveTables() gives a rewritten table a new identity", async () => {
  await using database = await openTestDatabase();
  const identities = [(await read(database, itemSql())).identity];
  const same = await read(
    database,
    "insert into item values (1, 'x', 1, now())",
    "alter table item add note text",
    "vacuum item",
  );
  assert.equal(same.identity, identities[0]);

  for (
    const statements of [
      ["vacuum full item"],
      ["truncate item"],
      ["alter table item drop column label", "alter table item add label text"],
      ["alter table item rename to retired", itemSql()],
    ]
  ) {
    const { identity } = await read(database, ...statements);
    assert(!identities.includes(identity), statements.join("; "));
    identities.push(identity);
  }
});

Deno.test("readLiveTables() gives a partition a new identity if a column was replaced while it was detached", async () => {
  await using database = await openTestDatabase();
  const identities = [
    (await read(
      database,
      `${itemSql()} partition by range (item_id)`,
      "create table low partition of item for values from (0) to (10)",
    )).identity,
  ];

  for (const value of ["'a'", "'b'"]) {
    const { identity } = await read(
      database,
      "alter table item detach partition low",
      "alter table low drop column label",
      `alter table low add label text default ${value}`,
      "alter table item attach partition low for values from (0) to (10)",
    );
    assert(!identities.includes(identity), value);
    identities.push(identity);
  }
});

Deno.test("readLiveTables() does not wait for a partition that is newer than its snapshot", async () => {
  await using database = await openTestDatabase();
  const { client, url } = database;
  await read(
    database,
    `${itemSql()} partition by range (item_id)`,
    "create table low partition of item for values from (0) to (10)",
    itemSql({}, { name: "high" }),
  );
  const owner = await openClient(url);
  await client.query(
    `begin isolation level repeatable read; set local lock_timeout to '1s';
    select from item limit 0`,
  );
  await execute(
    owner,
    "alter table item attach partition high for values from (10) to (20)",
    "begin",
    "lock table only high in access exclusive mode",
  );

  const table = await read(database);

  assert.equal(table.parts.length, 1);
  await client.query("rollback");
  await owner.end();
});

Deno.test("readLiveTables() refuses a table that others inherit from, without waiting for them", async () => {
  await using database = await openTestDatabase();
  const { client, url } = database;
  const [server] = await query(
    client,
    "select current_setting('server_version_num')::int >= 180000 as is_new",
  );
  const label = server?.is_new
    ? "text generated always as ('no ' || price) virtual"
    : "text";
  await execute(
    client,
    itemSql({ label }),
    "create table heir () inherits (item)",
  );
  const owner = await openClient(url);
  await execute(owner, "begin", "lock table heir in access exclusive mode");
  await client.query("begin; set local lock_timeout to '1s'");

  await assert.rejects(read(database), /other tables inherit from it/);

  await client.query("rollback");
  await owner.end();
});

Deno.test("readLiveTables() gives a table a new identity when it gets another partition", async () => {
  await using database = await openTestDatabase();
  const before = await read(
    database,
    `${itemSql()} partition by range (item_id)`,
    "create table low partition of item for values from (0) to (10)",
  );

  const after = await read(
    database,
    "create table high partition of item for values from (10) to (20)",
  );

  assert.notEqual(after.identity, before.identity);
});
