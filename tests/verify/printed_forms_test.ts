import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resyncTables } from "../../load/repair/resync_tables.ts";
import { verify } from "../../verify/verify.ts";
import { changeUnseen } from "../harness/damage.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import {
  differences,
  doWhatItSays,
  expectRepaired,
} from "../harness/repair.ts";
import {
  dimensionSql,
  HISTORY_SQL,
  smallProject,
} from "../harness/companies/small_project.ts";

/** Types that print values in a form of their own: a text, and another value. */
const TYPES: Readonly<Record<string, readonly [given: string, other: string]>> =
  {
    "jsonb": [`{"b": 1, "a":[1.0,2],"b":3}`, `{"a": [1.00, 2], "b": 3}`],
    "json": [`{"b": 1, "a":2}`, `{"b":1, "a":2}`],
    "macaddr": ["08002B-010203", "08:00:2b:01:02:04"],
    "inet": ["10.1.2.3/32", "10.1.2.3/24"],
    "cidr": ["10.1", "10.2.0.0/16"],
    "integer[]": ["{1, 2,  NULL}", "{1,NULL,2}"],
    "numeric[]": ["{ 1.50}", "{1.5}"],
    "varchar(3)[]": ['{"abc", d}', "{abc,e}"],
    "int4range": ["(1, 5]", "(1,6]"],
    "tsmultirange": ["{[2024-01-01,2024-02-01)}", "{}"],
    "interval": ["1 day 24:00", "2 days"],
    "xml": ["<?xml version='1.0' encoding='utf-8'?><a/>", "<b/>"],
    "tsvector": ["the fat cat", "'cat' 'fat'"],
    "tsquery": ["fat&cat", "'fat' | 'cat'"],
    "bit(3)": ["101", "111"],
    "varbit": ["10", "1"],
    "yesno": ["yes", "no"],
    "code": [
      "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12",
    ],
    "day": ["Jan 5, 2024", "2024-01-06"],
    "moment": ["2024-01-05 10:00+02", "2024-01-05 10:00+01"],
    "timetz": ["10:00+2", "10:00:00+01"],
    "point": ["1, 2.50", "(1,3)"],
    "box": ["((0,0),(2,1))", "((0,0),(1,2))"],
    "pg_lsn": ["0/00ff", "0/FE"],
    "regtype": ["int4", "bigint"],
    "mood": ["fine", "bad"],
    "pair": ['(1,"x")', "(1,y)"],
    "whole": ["{007}", "{8}"],
    "sure": [`{"z":1,"a":1}`, "{}"],
  };
const OWN_TYPES = [
  "create type mood as enum ('fine', 'bad')",
  "create type pair as (a integer, b text)",
  "create domain whole as integer[] check (value[1] > 0)",
  "create domain sure as jsonb not null",
  "create domain yesno as boolean",
  "create domain code as uuid",
  "create domain day as date",
  "create domain moment as timestamptz",
];

const NAMES = Object.keys(TYPES).map((_, number) => `c${number}`);
const SOURCE = `create table reading (
    reading_id integer not null,
    device text not null,
    ${NAMES.map((name) => `${name} text`).join(",\n    ")},
    primary key (reading_id)
);
create table device (
    device text not null,
    note text,
    primary key (device)
);`;

async function openReadings(): Promise<Platform> {
  const columns = Object.keys(TYPES)
    .map((type, number) => `${NAMES[number]} ${type}`);
  const sql = await smallProject({
    source: SOURCE,
    models: [
      {
        name: "dim_device",
        key: ["device"],
        sql: "select device, note from changed.device",
      },
      {
        name: "fact_reading",
        kind: "fact",
        key: ["reading_id"],
        recordId: "record_id",
        sql: `select reading_id, ${NAMES.join(", ")} from changed.reading`,
      },
      {
        name: "fact_device",
        kind: "fact",
        key: ["device"],
        recordId: "record_id",
        sql: "select device, note as words from changed.device",
      },
    ],
    warehouse: `${OWN_TYPES.join(";\n")};
      ${dimensionSql("dim_device", "device macaddr primary key, note jsonb")}
      create table fact_reading (record_id bigint primary key,
        reading_id integer not null, ${columns.join(", ")}, ${HISTORY_SQL});
      create table fact_device (record_id bigint primary key,
        device macaddr not null, words jsonb, ${HISTORY_SQL});`,
  });
  const platform = await openPlatform({ sql, sourceSql: SOURCE });
  const texts = Object.values(TYPES).map(([given]) =>
    `'${given.replaceAll("'", "''")}'`
  );
  await execute(
    platform.source.client,
    `insert into reading select id, 'x', ${texts.join(", ")}
    from generate_series(1, ${4 + NAMES.length}) as id`,
    `insert into reading (reading_id, device, ${NAMES.at(-1)})
    values (0, 'x', '{}')`,
    `insert into device values ('08002B-010203', '{"b":1,"a":2}'),
      ('0800-2b01-0204', null), ('F8:00:2B:01:02:03', '1.0')`,
  );
  await platform.run();
  await execute(
    platform.source.client,
    `update reading set c0 = '{"b":2,"a":1}' where reading_id = 1`,
    "delete from reading where reading_id = 3",
    `update device set note = '[1,2]' where device like '08002B%'`,
    "delete from device where device like 'F8%'",
  );
  await platform.run();
  return platform;
}

async function openedAgain({ context }: Platform): Promise<unknown> {
  const all = await rebuildWarehouse(context);
  const some = await resyncTables(context, { tables: ["reading", "device"] });
  return [all, some].flatMap(({ repaired }) => Object.values(repaired));
}

Deno.test("verify() takes a value in the form that its type prints for the same", async () => {
  await using platform = await openReadings();

  assert.deepEqual(differences(await verify(platform.context)), []);
  assert.deepEqual(await openedAgain(platform), Array(8).fill(0));
});

Deno.test("verify() reports another value of such a type, and what it names repairs it", async () => {
  await using platform = await openReadings();
  const { client } = platform.warehouse;
  // Each in a row of its own: rows 1 and 3 are others.
  for (const [number, [type, [, other]]] of Object.entries(TYPES).entries()) {
    const { rowCount } = await client.query(
      `update fact_reading set c${number} = cast($1::text as ${type})
      where reading_id = $2
        and format('%s', c${number}) <> format('%s', cast($1::text as ${type}))`,
      [other, number + 4],
    );
    assert.equal(rowCount, 1, type);
  }

  const verification = await verify(platform.context);

  const [found, ...others] = verification.comparisons
    .filter((one) => one.differences > 0);
  assert.deepEqual([found?.model, found?.place, others], [
    "fact_reading",
    "warehouse",
    [],
  ]);
  assert.equal(found?.differences, NAMES.length);
  await doWhatItSays(platform, verification);
  assert.deepEqual(differences(await verify(platform.context)), []);

  await execute(
    client,
    `update dim_device_closed set note = '{"a": 2.0, "b": 1}'`,
    "update fact_reading set c0 = '1' where to_batch is not null",
    `update fact_device set device = '08:00:2b:01:02:05'
      where device = '08:00:2b:01:02:04'`,
  );
  await expectRepaired(platform, {
    differences: [
      "dim_device history: [08:00:2b:01:02:03, 1] different",
      "fact_reading history: [1, 1] different, [3, 1] different",
      "fact_device warehouse: 08:00:2b:01:02:04 missing, 08:00:2b:01:02:05 extra",
    ],
    repairs: ["./totesys rebuild processed", "./totesys rebuild warehouse"],
  });
});

Deno.test("verify() names a row whose expected text its type does not take", async () => {
  await using platform = await openReadings();
  await changeUnseen(platform, [
    `update reading set c1 = '{"b":5}', c2 = 'no address' where reading_id = 2`,
  ]);

  assert.deepEqual(differences(await verify(platform.context)), [
    "fact_reading lake: 2 different",
    "fact_reading warehouse: 2 different",
  ]);
});

Deno.test("a fact whose key has a type of its own has the same serial numbers by every way", async () => {
  const source = `create table host (
    address text not null,
    primary key (address)
);`;
  const sql = await smallProject({
    source,
    models: [{
      name: "fact_host",
      kind: "fact",
      key: ["address"],
      recordId: "record_id",
      sql: "select address from changed.host",
    }],
    warehouse: `create table fact_host (record_id bigint primary key,
      address inet not null, ${HISTORY_SQL});`,
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  const { source: { client }, context } = platform;
  await execute(client, "insert into host values ('10.0.0.1')");
  await platform.run();
  await execute(client, "insert into host values ('10.0.0.9'), ('10.0.0.10')");
  await platform.run();

  assert.equal((await rebuildWarehouse(context)).repaired.fact_host, 0);
});

Deno.test("verify() reports texts that no load writes for a model's value", async () => {
  const source = `create table item (
    item_id integer not null,
    made date,
    opens time,
    weight numeric(10, 2),
    primary key (item_id)
);`;
  const sql = await smallProject({
    source,
    models: [{
      name: "dim_item",
      key: ["item_id"],
      times: ["opens"],
      sql: `select item_id, made, opens, weight, weight > 1 as is_heavy
        from changed.item`,
    }],
    warehouse: dimensionSql(
      "dim_item",
      "item_id integer primary key, made text, opens varchar, weight text, is_heavy text",
    ),
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  await execute(
    platform.source.client,
    "insert into item select id, '2026-01-02', '09:05', 1.5 from generate_series(1, 5) as id",
  );
  await platform.run();
  await execute(
    platform.warehouse.client,
    "update dim_item set made = '2026-1-2' where item_id = 1",
    "update dim_item set opens = '9:05' where item_id = 2",
    "update dim_item set weight = '01.50' where item_id = 3",
    "update dim_item set is_heavy = 't' where item_id = 4",
    // As it was written while the model had it as numeric(10, 1).
    "update dim_item set weight = '1.5' where item_id = 5",
  );

  await expectRepaired(platform, {
    differences: [
      "dim_item warehouse: 1 different, 2 different, 3 different, 4 different",
    ],
    repairs: ["./totesys rebuild warehouse"],
  });
});

Deno.test("load names the column that does not take a value, and goes on after what it says", async () => {
  await using platform = await openReadings();
  const { context, source, warehouse } = platform;
  await execute(
    source.client,
    "update reading set c2 = 'no address' where reading_id = 2",
    "update reading set c3 = 'no address' where reading_id = 4",
  );
  let refused: unknown;
  await platform.run().catch((error) => refused = error);
  for (const column of ["c2", "c3"]) {
    assert(refused instanceof StageError);
    const { message, hint = "", retryable } = refused;
    assert.ok(
      message.startsWith(
        `Cannot load "fact_reading": its column "${column}" can't hold what the model gives: `,
      ),
    );
    assert.equal(retryable, false);
    const [, text = ""] = /text: (drop view .* type text);/.exec(hint) ?? [];
    context.sql = {
      ...context.sql,
      migrations: [...context.sql.migrations, { name: `1_${column}`, text }],
    };
    refused = undefined;
    await platform.load().catch((error) => refused = error);
  }

  assert.equal(refused, undefined);
  const rows = await query(
    warehouse.client,
    `select c2 from fact_reading_current where c2 = 'no address'
    union all select c3 from fact_reading_current where c3 = 'no address'`,
  );
  assert.equal(rows.length, 2);
  // What was there reads as its type wrote it.
  await rebuildWarehouse(context);
  assert.deepEqual(differences(await verify(context)), []);
});

Deno.test("load names the model that a domain takes no value of, in a first load and later", async () => {
  const source =
    "create table note (note_id integer primary key, score integer);";
  const sql = await smallProject({
    source,
    models: [{
      name: "fact_note",
      kind: "fact",
      key: ["note_id"],
      recordId: "record_id",
      sql: "select note_id, score from changed.note",
    }],
    warehouse: `create domain share as integer check (value <= 100);
      create table fact_note (record_id bigint primary key,
        note_id integer not null, score share, ${HISTORY_SQL});`,
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  const { client } = platform.source;
  const violates = /value for domain share violates check constraint/;
  await execute(client, "insert into note values (1, 101)");
  await assert.rejects(platform.run(), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, violates);
    assert.match(error.message, /^Cannot load "fact_note": its column "score"/);
    return true;
  });
  await execute(
    platform.warehouse.client,
    "alter domain share drop constraint share_check",
  );
  await platform.run();
  await execute(
    platform.warehouse.client,
    "alter domain share add check (value <= 200)",
  );
  await execute(client, "update note set score = 201");
  await assert.rejects(platform.run(), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, violates);
    assert.match(error.message, /^Cannot load "fact_note": /);
    assert.match(error.hint ?? "", /^Drop the constraint/);
    return true;
  });
});

Deno.test("load names the column whose type looks for an object that is not there", async () => {
  const source = "create table note (note_id integer primary key, about text);";
  const sql = await smallProject({
    source,
    models: [{
      name: "dim_note",
      key: ["note_id"],
      sql: "select note_id, about from changed.note",
    }],
    warehouse: dimensionSql(
      "dim_note",
      "note_id integer primary key, about regclass",
    ),
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  await execute(
    platform.source.client,
    "insert into note values (1, 'nobody')",
  );

  await assert.rejects(platform.run(), {
    message:
      /^Cannot load "dim_note": its column "about" can't hold what the model gives: relation "nobody" does not exist/,
    hint: /make the column text: drop view "dim_note_current"/,
  });
});
