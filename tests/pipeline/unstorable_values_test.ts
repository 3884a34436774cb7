import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import {
  HISTORY_SQL,
  smallProject,
} from "../harness/companies/small_project.ts";

const SOURCE = `create table message (
    message_id integer not null,
    payload text,
    ratio text,
    primary key (message_id)
);
`;
function project(columns: string, declared: string) {
  return smallProject({
    source: SOURCE,
    models: [{
      name: "fact_message",
      kind: "fact",
      key: ["message_id"],
      recordId: "record_id",
      sql: `select message_id, ${columns} from changed.message`,
    }],
    warehouse: `create type mood as enum ('{}', 'it''s, (fine)');
      alter type mood add value if not exists 'so so' after '{}';
      alter type mood rename value 'so so' to '{"a": "1"}';
      create table fact_message (record_id bigint primary key,
      message_id integer not null, ${declared}, ${HISTORY_SQL});`,
  });
}

/** What a model may give, how it is declared, and what is said of the first. */
const REFUSED: Readonly<
  Record<string, { columns: string; declared: string; payload: string }>
> = {
  "the character 0 that JSON wrote with an escape": {
    columns: "json_extract_string(payload, '$.a') as a",
    declared: "a text",
    payload: String.raw`{"a": "\u0000"}`,
  },
  "an escaped character 0 in jsonb": {
    columns: "cast(payload as json) as a",
    declared: "a jsonb",
    payload: String.raw`{"a": "\\\u0000"}`,
  },
  "a NaN in JSON": {
    columns: `case when json_extract_string(payload, '$.a') = 'bad'
      then to_json('nan'::double) else cast(payload as json) end as a`,
    declared: "a json",
    payload: '{"a": "bad"}',
  },
  "a number that is too large for jsonb": {
    columns: "payload as a",
    declared: "a jsonb",
    payload: "[1, 1e131072]",
  },
  "a number that is too small for jsonb": {
    columns: "payload as a",
    declared: "a jsonb",
    payload: "[0.1E-16383]",
  },
  "half a character in jsonb": {
    columns: "payload as a",
    declared: "a jsonb",
    payload: String.raw`"\ud800"`,
  },
  "a text that is not a label of an enum": {
    columns: "payload as a",
    declared: "a public.mood",
    payload: "so so",
  },
  "a date before PostgreSQL's first": {
    columns:
      "date '1970-01-01' - cast(payload = 'bad' as integer) * 2440589 as a",
    declared: "a date",
    payload: "bad",
  },
  "a date after PostgreSQL's last moment": {
    columns:
      "date '1970-01-01' + cast(payload = 'bad' as integer) * 106764000 as a",
    declared: "a timestamp",
    payload: "bad",
  },
  "a date after PostgreSQL's last": {
    columns:
      "date '1970-01-01' + cast(payload = 'bad' as integer) * 2147000000 as a",
    declared: "a date",
    payload: "bad",
  },
  "a moment before PostgreSQL's first": {
    columns: `timestamptz '1970-01-01 00:00:00+00'
      - to_days(cast(payload = 'bad' as integer) * 2440589) as a`,
    declared: "a timestamptz",
    payload: "bad",
  },
  "a moment of whole seconds before PostgreSQL's first": {
    columns: `cast(timestamp '1970-01-01'
      - to_days(cast(payload = 'bad' as integer) * 2440589) as timestamp_s) as a`,
    declared: "a timestamp(0)",
    payload: "bad",
  },
  "a text that is no JSON": {
    columns: `coalesce(json_extract_string(payload, '$.a'), '{}') as a`,
    declared: "a jsonb",
    payload: '{"a": "[1, ]"}',
  },
};

for (const [what, { columns, declared, payload }] of Object.entries(REFUSED)) {
  Deno.test(`transform holds back only ${what}`, async () => {
    const sql = await project(columns, declared);
    await using platform = await openPlatform({ sql, sourceSql: SOURCE });
    const { source, warehouse } = platform;
    await source.client.query(
      `insert into message values (1, '{}', 1), (2, '{}', 2)`,
    );
    await platform.run();
    await source.client.query(
      "update message set payload = $1 where message_id = 1",
      [payload],
    );
    await source.client.query("insert into message values (3, '{}', 3)");
    await platform.extract();
    await assert.rejects(
      platform.transform(),
      /Cannot make "fact_message" in batch 2: "a" .* in 1 row; the first key is 1/,
    );
    await platform.load();
    const ids = () =>
      query(
        warehouse.client,
        "select message_id from fact_message where to_batch is null order by 1",
      );
    assert.equal((await ids()).length, 2);

    await source.client.query(
      `update message set payload = '{"a": "1"}' where message_id = 1`,
    );
    await platform.run();

    assert.equal((await ids()).length, 3);
  });
}

Deno.test("transform accepts a label after a migration has added it", async () => {
  const sql = await project("payload as a", "a mood");
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const { context, source, warehouse } = platform;
  await execute(
    source.client,
    "insert into message values (1, '{}', 1), (2, 'it''s, (fine)', 2), (3, null, 3)",
  );
  await platform.run();
  await execute(source.client, "insert into message values (4, 'bad', 4)");
  await platform.extract();
  await assert.rejects(platform.transform(), {
    message:
      /"a" is not a label of the enum mood of sql\/warehouse in 1 row; the first key is 4/,
    hint: /add the label by a migration there: alter type mood add value/,
  });

  const text = "alter type mood add value 'bad';";
  context.sql = {
    ...sql,
    migrations: [...sql.migrations, { name: "0003_label", text }],
  };
  await platform.run();

  const rows = await query(
    warehouse.client,
    "select a from fact_message_current order by message_id",
  );
  assert.deepEqual(rows.map(({ a }) => a), ["{}", "it's, (fine)", null, "bad"]);
});

Deno.test("JSON with texts that resemble refused ones is accepted unchanged", async () => {
  const sql = await project(
    "cast(payload as json) as a, cast(payload as varchar) as b",
    "a jsonb, b json",
  );
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const payload = String
    .raw`{"NaN": "Infinity, ]", "a\"iI": ["\\u0000", true, false, null, -1e5, 1E+2]}`;
  await platform.source.client.query(
    "insert into message values (1, $1, null)",
    [payload],
  );
  await platform.run();
  const [row] = await query(
    platform.warehouse.client,
    "select a = $1::jsonb as a, b::jsonb = $1::jsonb as b from fact_message",
    [payload],
  );
  assert.deepEqual({ ...row }, { a: true, b: true });

  // Rows with json are compared by a rebuild, too.
  await platform.warehouse.client.query(
    `update fact_message set b = '{"b": 2}'`,
  );
  assert.equal(
    (await rebuildWarehouse(platform.context)).repaired.fact_message,
    2,
  );
  assert.equal(
    (await rebuildWarehouse(platform.context)).repaired.fact_message,
    0,
  );
});

Deno.test("JSON at the limits is accepted unchanged", async () => {
  const sql = await project("payload as a, ratio as b", "a jsonb, b json");
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const numbers = `[1e131071, 1E-16383, -0.${"1".repeat(16_383)},
    ${"1".repeat(131_072)}, "1e999999"]`;
  const halves = String.raw`["\ud800", "\\ud800", "\uDE00x", 1e999999]`;
  await platform.source.client.query(
    "insert into message values (1, $1, $2)",
    [numbers, halves],
  );

  await platform.run();

  const [row] = await query(
    platform.warehouse.client,
    "select a = $1::jsonb as a, b::text = $2 as b from fact_message",
    [numbers, halves],
  );
  assert.deepEqual({ ...row }, { a: true, b: true });
});

Deno.test("dates at the limits are accepted unchanged", async () => {
  const sql = await project(
    `cast(payload as date) as a, cast(ratio as timestamp) as b,
      cast(cast(ratio as timestamp) as timestamptz) as c,
      cast(cast(payload as date) as varchar) as d`,
    "a date, b timestamp, c timestamptz, d text",
  );
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const { source, warehouse } = platform;
  await execute(
    source.client,
    `insert into message values
      (1, '4714-11-24 (BC)', '4714-11-24 (BC) 00:00:00'),
      (2, '5874897-12-31', '287395-12-31 23:59:59.999999'),
      (3, 'infinity', '-infinity')`,
  );
  await platform.run();
  const rows = await query(
    warehouse.client,
    `select a::text, b::text, (c at time zone 'UTC')::text as c
    from fact_message order by message_id`,
  );
  assert.deepEqual(rows.map(({ a, b, c }) => [a, b, c]), [
    ["4714-11-24 BC", "4714-11-24 00:00:00 BC", "4714-11-24 00:00:00 BC"],
    [
      "5874897-12-31",
      "287395-12-31 23:59:59.999999",
      "287395-12-31 23:59:59.999999",
    ],
    ["infinity", "-infinity", "-infinity"],
  ]);
});

Deno.test("transform holds back a key that is too long for an index of PostgreSQL", async () => {
  const sql = await smallProject({
    source: SOURCE,
    models: [{
      name: "dim_payload",
      key: ["payload"],
      derivation: "join",
      sql:
        "select payload, count(*) as messages from current.message group by payload",
    }],
  });
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const { source, warehouse } = platform;
  // No two parts are alike, so that nothing of it can be compressed.
  const long = Array.from({ length: 500 }, (_, index) => String(1e5 + index))
    .join("").slice(0, 2600);
  await source.client.query("insert into message values (1, $1)", [long]);
  await platform.run();
  await source.client.query("insert into message values (2, $1)", [`${long}x`]);
  await platform.extract();

  await assert.rejects(
    platform.transform(),
    /Cannot make "dim_payload" in batch 2: "payload" has over 2600 bytes, too many for an index of the key, in 1 row; the first key is 100000100001\d{188}$/,
  );

  await execute(source.client, "delete from message where message_id = 2");
  await platform.run();
  const found = await query(
    warehouse.client,
    "select length(payload) as bytes, to_batch from dim_payload",
  );
  assert.deepEqual(found.map((row) => ({ ...row })), [
    { bytes: 2600, to_batch: null },
  ]);
});

Deno.test("a NaN with a sign is NaN in the warehouse", async () => {
  const sql = await project(
    `cast(ratio as double) - cast(ratio as double) as a,
      cast(cast(ratio as double) - cast(ratio as double) as float) as b`,
    "a numeric, b real",
  );
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const { source, warehouse } = platform;
  await execute(
    source.client,
    "insert into message values (1, null, 'infinity'), (2, null, null)",
  );
  await platform.run();
  const rows = await query(
    warehouse.client,
    "select a::text, b::text from fact_message order by message_id",
  );
  assert.deepEqual(rows.map((row) => ({ ...row })), [
    { a: "NaN", b: "NaN" },
    { a: null, b: null },
  ]);
});
