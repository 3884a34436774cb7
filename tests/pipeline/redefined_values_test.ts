import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { ingestionManifest } from "../harness/manifests.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";
import { encodeManifest } from "../../lib/batches/encode_manifest.ts";

const SQL = companyOf(`create table thing (
    id integer not null,
    -- carried from mood
    mood text,
    -- carried from mood[]
    moods text,
    -- carried from felt
    felt text,
    -- carried from pair
    pair text,
    -- carried from span
    span text,
    plain text,
    primary key (id)
);
create table other (
    id integer not null,
    note text,
    primary key (id)
);`);
const SOURCE = `
  create type mood as enum ('happy', 'sad', 'so so');
  create domain felt as mood;
  create type pair as (a integer, b felt);
  create type span as range (subtype = felt);
  create table thing (id integer primary key, mood mood, moods mood[],
    felt felt, pair pair, span span, plain varchar(20));
  create table other (id integer primary key, note text);
  insert into thing select n, 'happy', '{happy,sad}', 'sad', ('(' || n || ',happy)')::pair,
    span('happy', 'sad'), 'plain' from generate_series(1, 20) as n;`;
const COLUMNS = "mood, moods, felt, pair, span, plain";

async function assertSame(platform: Platform): Promise<void> {
  const read = async (client: Platform["source"]["client"], from: string) =>
    await query(
      client,
      `select id, ${
        COLUMNS.split(", ").map((name) => `${name}::text as ${name}`).join()
      } from ${from} order by id::integer`,
    );
  assert.deepEqual(
    await read(platform.warehouse.client, "fact_thing where to_batch is null"),
    await read(platform.source.client, "thing"),
  );
}

const REDEFINED: [name: string, column: string, statements: string[]][] = [
  ["an enum's label", "mood", [
    "alter type mood rename value 'happy' to 'glad'",
  ]],
  ["two labels that are exchanged", "mood", [
    "alter type mood rename value 'happy' to 'x'",
    "alter type mood rename value 'sad' to 'happy'",
    "alter type mood rename value 'x' to 'sad'",
  ]],
  ["an attribute that a composite type gains", "pair", [
    "alter type pair add attribute c text",
  ]],
  ["an attribute that a composite type loses", "pair", [
    "alter type pair drop attribute a",
  ]],
  ["a cast to text of one's own", "mood", [
    `create function say(mood) returns text language sql immutable
      as $$ select 'a mood' $$`,
    "create cast (mood as text) with function say(mood)",
  ]],
];

for (const [name, column, statements] of REDEFINED) {
  Deno.test(`one batch shows ${name} in every row`, async () => {
    await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
    const { client } = platform.source;
    await platform.run();
    await execute(client, ...statements, "insert into other values (1)");
    await platform.run();

    await assertSame(platform);
    const { tables } = await ingestionManifest(platform, 2);
    const reason = tables.thing?.fullRead ?? "";
    assert.match(
      reason,
      new RegExp(`column "(${column}|felt)" read differently: a type or an`),
    );
    assert.equal(tables.other?.fullRead, undefined);
    await platform.run();
    const next = await ingestionManifest(platform, 3);
    assert.equal(next.tables.thing?.fullRead, undefined);
  });
}

Deno.test("one batch shows another body of a cast to text, in standard SQL too", async () => {
  await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
  const { client } = platform.source;
  const saying = (text: string) =>
    `create or replace function say(mood) returns text language sql immutable
      return '${text}'`;
  await execute(
    client,
    saying("a mood"),
    "create cast (mood as text) with function say(mood)",
  );
  await platform.run();
  await execute(client, saying("another"), "insert into other values (1)");
  await platform.run();

  await assertSame(platform);
  const { tables } = await ingestionManifest(platform, 2);
  assert.match(tables.thing?.fullRead ?? "", /column "(mood|felt)" read/);
});

Deno.test("a cast that uses functions of the source's schema is the same in each run", async () => {
  const sql = companyOf(`create table thing (
    id integer not null,
    -- carried from mood
    mood text,
    primary key (id)
);`);
  await using platform = await openPlatform({
    sql,
    sourceSql: `create schema shop; set search_path to shop;
      create type mood as enum ('happy', 'sad');
      create function saying(text) returns text language sql immutable
        return 'felt ' || $1;
      create function say(mood) returns text language sql immutable
        return saying(case when $1 = 'sad' then 'sad' else 'happy' end);
      create cast (mood as text) with function say(mood);
      create table thing (id integer primary key, mood mood);
      insert into thing values (1, 'sad');
      reset search_path`,
  });
  platform.set({ sourceSchema: "shop", sourceLockYieldSeconds: 0 });
  const { client } = platform.source;

  await platform.run();
  await execute(client, "insert into shop.thing values (2, 'happy')");
  await platform.run();

  const { tables } = await ingestionManifest(platform, 2);
  assert.equal(tables.thing?.fullRead, undefined);
  const rows = await query(
    platform.warehouse.client,
    "select mood from fact_thing where to_batch is null order by id",
  );
  assert.deepEqual(rows.map(({ mood }) => mood), ["felt sad", "felt happy"]);
});

Deno.test("a label renamed during a batch appears in none of its rows, and in all rows of the next", async () => {
  await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
  const { context, source: { client } } = platform;
  let isRenamed = false;
  context.resources = changedZones(RESOURCES, (zone) => ({
    write: async (...given) => {
      if (!isRenamed) {
        isRenamed = true;
        await client.query("alter type mood rename value 'happy' to 'glad'");
      }
      return await zone.write(...given);
    },
  }));

  await assert.rejects(platform.extract(), {
    message:
      /^Cannot read "thing": a label, .* that prints its column "(felt|mood|pair)" changed meanwhile$/,
    retryable: true,
  });

  assert.ok(isRenamed);
  await platform.run();
  await assertSame(platform);
  const { batch } = await ingestionManifest(platform, 1);
  assert.equal(batch, 1);
});

Deno.test("changes of definitions that keep all values cause no full read", async () => {
  await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
  const { client } = platform.source;
  await platform.run();
  await execute(
    client,
    "alter type mood add value 'glad' before 'sad'",
    "alter domain felt add constraint set_once check (value is not null) not valid",
    "alter domain felt set default 'sad'",
    "alter type pair rename attribute a to a_number",
    "alter type mood rename to feeling",
    "alter type feeling rename to mood",
    "alter table thing alter plain type varchar(40)",
    "alter table thing add column extra mood default 'happy'",
    "alter table thing drop column extra",
    "insert into thing values (21, 'glad', '{glad}', 'glad', (1, 'glad'), null, 'x')",
  );
  await platform.run();

  await assertSame(platform);
  const { tables } = await ingestionManifest(platform, 2);
  assert.equal(tables.thing?.fullRead, undefined);
  assert.equal(tables.thing?.rows[0]?.rows, 1);
});

Deno.test("a column that replaced another is read whole", async () => {
  await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
  const { client } = platform.source;
  await platform.run();
  for (
    const statements of [
      [
        "alter table thing rename mood to felt_before",
        "alter table thing add column mood mood default 'so so'",
      ],
      [
        "alter table thing drop column plain",
        "alter table thing add column plain text default 'again'",
      ],
      [
        "alter table thing rename mood to x",
        "alter table thing rename felt_before to mood",
        "alter table thing rename x to felt_before",
      ],
      [
        "alter table thing alter plain type text using plain || '!'",
      ],
    ]
  ) {
    await execute(client, ...statements);
    await platform.run();
    await assertSame(platform);
  }
});

Deno.test("a batch without recorded definitions causes no full read", async () => {
  await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
  await platform.run();
  const manifest = await ingestionManifest(platform, 1);
  assert.deepEqual(manifest.tables.other?.definitions, []);
  delete manifest.tables.thing?.definitions;
  delete manifest.tables.other?.definitions;
  await Deno.writeFile(
    `${platform.config.ingestionUrl}/_batches/000000001.json`,
    encodeManifest(manifest),
  );

  await platform.extract();

  const { tables } = await ingestionManifest(platform, 2);
  assert.equal(tables.thing?.fullRead, undefined);
  assert.notEqual(tables.thing?.definitions, undefined);
});

Deno.test("one batch shows a virtual column's expression in every row", async () => {
  const sql = companyOf(`create table thing (
    id integer not null,
    doubled integer,
    primary key (id)
);`);
  await using database = await openTestDatabase();
  const [version] = await query(database.client, "show server_version_num");
  if (Number(version?.server_version_num) < 180_000) return;
  for (const partitioned of [false, true]) {
    await using platform = await openPlatform({
      sql,
      sourceSql: `create table thing (id integer primary key,
        doubled integer generated always as (id * 2) virtual)
        ${partitioned ? "partition by range (id)" : ""};
        ${
        partitioned ? "create table things partition of thing default;" : ""
      } insert into thing select generate_series(1, 5)`,
    });
    await platform.run();
    await execute(
      platform.source.client,
      "alter table thing alter doubled set expression as (id * 20)",
    );
    await platform.run();

    const rows = await query(
      platform.warehouse.client,
      "select doubled from fact_thing where to_batch is null order by id",
    );
    assert.deepEqual(
      rows.map((row) => Number(row.doubled)),
      [20, 40, 60, 80, 100],
    );
    const { tables } = await ingestionManifest(platform, 2);
    assert.match(tables.thing?.fullRead ?? "", /"doubled" read differently/);
  }
});

Deno.test("settings of a role or a database change no value", async () => {
  const sql = companyOf(`create table thing (
    id integer not null,
    -- carried from bytea
    bytes text,
    -- carried from money
    price text,
    -- carried from interval
    lasts text,
    -- carried from double precision
    share text,
    seen timestamptz,
    day date,
    primary key (id)
);`);
  await using platform = await openPlatform({
    sql,
    sourceSql: `create table thing (id integer primary key, bytes bytea,
      price money, lasts interval, share double precision, seen timestamptz,
      day date);
      insert into thing select n, '\\x00ff5c', 1234.5::numeric::money,
        '1 mon 2 days 03:00', 0.1::float8 + 0.2, '2024-03-04 05:06:07+00',
        '2024-03-04' from generate_series(1, 3) as n`,
  });
  const { client } = platform.source;
  await platform.run();
  const [database] = await query(client, "select current_database() as name");
  await execute(
    client,
    ...[
      "bytea_output = 'escape'",
      "lc_monetary = 'C.UTF-8'",
      "intervalstyle = 'sql_standard'",
      "extra_float_digits = -3",
      "timezone = 'Asia/Tokyo'",
      "datestyle = 'SQL, DMY'",
    ].map((setting) => `alter database ${database?.name} set ${setting}`),
    "update thing set id = id where id = 2",
  );
  await platform.run();

  const rows = await query(
    platform.warehouse.client,
    `select count(*) as versions, count(distinct (bytes, price, lasts, share,
      seen, day)) as contents from fact_thing where to_batch is null`,
  );
  assert.deepEqual(rows, [{ versions: "3", contents: "1" }]);
});
