import assert from "node:assert/strict";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resync } from "../../operate/resync.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { differences, expectRepaired } from "../harness/repair.ts";
import {
  HISTORY_SQL,
  smallProject,
} from "../harness/companies/small_project.ts";

const REBUILD_WAREHOUSE = "./totesys rebuild warehouse";
const MAKE_TYPES = `
create domain kept as jsonb;
create domain code as uuid;
create domain short_day as date check (value > '1900-01-01');
create type pair as (a integer, b text);
create type mood as enum ('so so', 'well');
`;

/** Types that write values in their own form: one in two spellings, and another. */
const OWN_FORMS: readonly {
  type: string;
  values: readonly [string, string];
  other: string;
}[] = [
  {
    type: "jsonb",
    values: ['{"b":1,  "a": [1.50,null]}', '"x"'],
    other: '{"b": 1, "a": [1.5, null]}',
  },
  {
    type: "kept",
    values: ['{"b":1,"a":2}', "[ ]"],
    other: '{"b": 2, "a": 2}',
  },
  {
    type: "macaddr",
    values: ["08-00-2B-01-02-03", "08002b:010204"],
    other: "08:00:2b:01:02:05",
  },
  { type: "inet", values: ["10.0.0.1/32", "2001:DB8::0"], other: "10.0.0.1/8" },
  { type: "cidr", values: ["10", "192.168/16"], other: "11.0.0.0/8" },
  { type: "int[]", values: ["{ 1, +2 }", "[1:1]={7}"], other: "{1,3}" },
  { type: "text[]", values: ['{"a", b}', "{}"], other: "{a,c}" },
  { type: "numeric[]", values: ["{1.50, 2e1}", "{1}"], other: "{1.5,20}" },
  { type: "int4range", values: ["[1,2]", "(3,3)"], other: "[1,4)" },
  {
    type: "tstzrange",
    values: ["[2024-01-02, 2024-01-03 01:00+01)", "empty"],
    other: "[2024-01-02,2024-01-04)",
  },
  {
    type: "code",
    values: [
      "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
      "{a0eebc999c0b4ef8bb6d6bb9bd380a12}",
    ],
    other: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a13",
  },
  {
    type: "short_day",
    values: ["2024-1-5", "5 Jan 2023"],
    other: "2024-01-06",
  },
  { type: "interval", values: ["1 month", "90 minutes"], other: "30 days" },
  { type: "tsvector", values: ["b a a", "'x':3,1"], other: "a c" },
  { type: "tsquery", values: ["a&b", "!a"], other: "a | b" },
  { type: "point", values: ["1,2", "( 3 , 4 )"], other: "(1,3)" },
  { type: "box", values: ["0,0,1,2", "(1,1),(0,0)"], other: "(2,1),(0,0)" },
  {
    type: "xml",
    values: ['<?xml version="1.0"?><a/>', "<b> </b>"],
    other: "<a></a>",
  },
  { type: "pg_lsn", values: ["0/00000A", "1/1"], other: "0/B" },
  { type: "bit varying", values: ["b101", "xA"], other: "100" },
  { type: "pair", values: ['(  1,"x")', "(,)"], other: "(1,y)" },
  { type: "pair[]", values: ['{"( 1,x)"}', "{}"], other: '{"(1,y)"}' },
  { type: "mood", values: ["well", "so so"], other: "so so" },
  { type: "timetz", values: ["10:00+00", "10:00:00.5+02"], other: "11:00+01" },
  { type: "jsonpath", values: ["$.a", "$ . b"], other: '$."c"' },
];

/** A company whose texts come into columns of these types. */
async function openTyped(types: readonly string[]): Promise<Platform> {
  const names = types.map((_, index) => `value_${index}`);
  const source = `create table note (note_id integer not null,
    ${names.map((name) => `${name} text,`).join(" ")} primary key (note_id));`;
  const declared = names.map((name, index) => `${name} ${types[index]}`);
  const sql = await smallProject({
    source,
    models: [{
      name: "fact_note",
      kind: "fact",
      key: ["note_id"],
      recordId: "record_id",
      sql: `select note_id, ${names.join(", ")} from changed.note`,
    }],
    warehouse: `${MAKE_TYPES}
      create table fact_note (record_id bigint primary key,
        note_id integer not null, ${declared.join(", ")}, ${HISTORY_SQL});`,
  });
  return await openPlatform({ sql, sourceSql: source });
}

async function insertNote(
  { source }: Platform,
  id: number,
  values: readonly (string | null)[],
): Promise<void> {
  const places = values.map((_, index) => `, $${index + 1}`);
  await source.client.query(
    `insert into note values (${id}${places.join("")})`,
    [...values],
  );
}

Deno.test("verify() distinguishes another spelling from another value, of any type", async () => {
  await using platform = await openTyped(OWN_FORMS.map(({ type }) => type));
  const { warehouse, context } = platform;
  for (const index of OWN_FORMS.keys()) {
    await insertNote(platform, index, OWN_FORMS.map(({ values }) => values[0]));
  }
  await insertNote(platform, 98, OWN_FORMS.map(({ values }) => values[1]));
  await insertNote(platform, 99, OWN_FORMS.map(() => null));
  await platform.run();

  assert.deepEqual(differences(await verify(context)), []);
  const resynced = await resync(context, { tables: ["note"] });
  assert.equal(resynced.repaired.fact_note, 0);
  assert.equal((await rebuildWarehouse(context)).repaired.fact_note, 0);

  for (const [index, { other }] of OWN_FORMS.entries()) {
    await warehouse.client.query(
      `update fact_note set value_${index} = $1 where note_id = ${index}`,
      [other],
    );
  }
  const { comparisons } = await verify(context);
  const differing = comparisons.filter((one) => one.differences > 0);
  assert.deepEqual(
    differing.map((one) => [one.place, one.differences, one.repairs]),
    [["warehouse", OWN_FORMS.length, [REBUILD_WAREHOUSE]]],
  );
  await rebuildWarehouse(context);
  assert.deepEqual(differences(await verify(context)), []);
});

Deno.test("a null in an array stays one, whatever the warehouse is set to", async () => {
  await using platform = await openTyped(["text[]"]);
  const { warehouse, context } = platform;
  await execute(
    warehouse.client,
    `alter database ${warehouse.settings.database} set array_nulls = off`,
  );
  await insertNote(platform, 1, ['{NULL,"NULL"}']);

  await platform.run();

  const { rows: [note] } = await warehouse.client.query(
    "select array_position(value_0, null) as place from fact_note",
  );
  assert.equal(note.place, 1);
  assert.deepEqual(differences(await verify(context)), []);
});

Deno.test("verify() distinguishes another spelling from another value in history", async () => {
  await using platform = await openTyped(["jsonb"]);
  const { source, warehouse, context } = platform;
  await insertNote(platform, 1, ['{"b":1,"a":2}']);
  await platform.run();
  await source.client.query(`update note set value_0 = '{"b":3,"a":2}'`);
  await platform.run();
  assert.deepEqual(differences(await verify(context)), []);

  await execute(
    warehouse.client,
    `update fact_note set value_0 = '{"a": 2, "b": 3}' where to_batch = 2`,
  );

  await expectRepaired(platform, {
    differences: ["fact_note history: [1, 1] different"],
    repairs: ["./totesys rebuild processed", REBUILD_WAREHOUSE],
  });
});

Deno.test("verify() finds keys that the warehouse writes in its own form", async () => {
  const source = "create table note (value text primary key, note_id integer);";
  const sql = await smallProject({
    source,
    models: [{
      name: "fact_note",
      kind: "fact",
      key: ["value"],
      recordId: "record_id",
      sql: "select value, note_id from changed.note",
    }],
    warehouse: `${MAKE_TYPES}
      create table fact_note (record_id bigint primary key, note_id integer,
        value code not null, ${HISTORY_SQL});`,
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  await platform.source.client.query(
    "insert into note values ($1, 1), ($2, 2)",
    [
      "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
      "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12",
    ],
  );
  await platform.run();
  await execute(
    platform.source.client,
    "update note set note_id = 3 where note_id = 1",
  );
  await platform.run();
  assert.deepEqual(differences(await verify(platform.context)), []);

  await execute(
    platform.warehouse.client,
    "delete from fact_note where note_id = 2",
  );

  await expectRepaired(platform, {
    differences: [
      "fact_note warehouse: a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12 missing",
    ],
    repairs: [REBUILD_WAREHOUSE],
  });
});

Deno.test("verify() knows money and bytes that somebody made of texts", async () => {
  await using platform = await openTyped(["text", "text"]);
  const { warehouse, context } = platform;
  await insertNote(platform, 1, ["1.5", "a b"]);
  await platform.run();
  await execute(
    warehouse.client,
    "drop view fact_note_current, fact_note_history cascade",
    "alter table fact_note alter value_0 type money using value_0::money",
    "alter table fact_note alter value_1 type bytea using value_1::bytea",
    "call pipeline.make_views('fact_note')",
  );
  await insertNote(platform, 2, ["(2)", "\\\\"]);
  await platform.run();

  assert.deepEqual(differences(await verify(context)), []);

  await execute(
    warehouse.client,
    "update fact_note set value_0 = 2 where note_id = 1",
    "update fact_note set value_1 = 'b' where note_id = 2",
  );
  await expectRepaired(platform, {
    differences: ["fact_note warehouse: 1 different, 2 different"],
    repairs: [REBUILD_WAREHOUSE],
  });
});

/** Types that somebody gave a column of texts, of which each loses something. */
const CUT = {
  "timestamptz(0)": "2024-01-05 10:00:00.123+00",
  "interval(0)": "PT0.123S",
  "interval day": "P1DT3H",
  real: "0.123456789",
  "numeric(10,1)": "0.17",
  "varchar(3)": "abc  ",
};

Deno.test("verify() finds what a type cuts off that somebody gave a column", async () => {
  const types = Object.keys(CUT);
  await using platform = await openTyped(types.map(() => "text"));
  const { warehouse } = platform;
  for (const index of types.keys()) {
    await insertNote(
      platform,
      index,
      types.map((_, place) =>
        place === index ? Object.values(CUT)[index] ?? "" : null
      ),
    );
  }
  await platform.run();
  await execute(
    warehouse.client,
    "drop view fact_note_current, fact_note_history cascade",
    ...types.map((type, index) =>
      `alter table fact_note alter value_${index} type ${type}
      using value_${index}::${type}`
    ),
    "call pipeline.make_views('fact_note')",
  );

  await expectRepaired(platform, {
    differences: [
      `fact_note warehouse: ${
        types.map((_, index) => `${index} different`).join(", ")
      }`,
    ],
    repairs: [REBUILD_WAREHOUSE],
  });
});

Deno.test("a column that takes several texts for one is compared by what they read as", async () => {
  await using platform = await openTyped(["text"]);
  const { warehouse } = platform;
  await insertNote(platform, 1, ["Ab"]);
  await platform.run();
  await execute(
    warehouse.client,
    `create collation loose
      (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    "drop view fact_note_current, fact_note_history cascade",
    "alter table fact_note alter value_0 type text collate loose",
    "call pipeline.make_views('fact_note')",
    "update fact_note set value_0 = 'aB'",
  );

  await expectRepaired(platform, {
    differences: ["fact_note warehouse: 1 different"],
    repairs: [REBUILD_WAREHOUSE],
  });
});
