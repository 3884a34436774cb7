import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { smallProject } from "../harness/companies/small_project.ts";

Deno.test("a date that may be infinite is carried as text, and cast by its model", async () => {
  const sql = await smallProject({
    source: `create table price (
      price_id integer primary key,
      -- carried from date
      valid_until text,
      -- carried from timestamp with time zone
      seen_at text not null
    );`,
    models: [{
      name: "dim_price",
      key: ["price_id"],
      sql: `select price_id,
        cast(nullif(valid_until, 'infinity') as date) as valid_until,
        seen_at
      from changed.price`,
    }],
  });
  await using platform = await openPlatform({
    sql,
    sourceSql: `create table price (
      price_id integer primary key, valid_until date,
      seen_at timestamptz not null
    )`,
  });
  const { client } = platform.source;
  const now = () =>
    query(
      platform.warehouse.client,
      `select price_id::text, valid_until::text, seen_at from dim_price_current
      order by price_id`,
    );
  await execute(
    client,
    `insert into price values
      (1, 'infinity', '-infinity'), (2, '2024-05-06', '20001-01-01 00:00+00'),
      (3, null, 'infinity')`,
  );
  await platform.run();

  assert.deepEqual(await now(), [
    { price_id: "1", valid_until: null, seen_at: "-infinity" },
    {
      price_id: "2",
      valid_until: "2024-05-06",
      seen_at: "20001-01-01 00:00:00+00",
    },
    { price_id: "3", valid_until: null, seen_at: "infinity" },
  ]);
  await execute(
    client,
    "update price set valid_until = '2024-12-31' where price_id = 1",
    "update price set valid_until = 'infinity' where price_id = 2",
    "delete from price where price_id = 3",
  );
  await platform.run();

  assert.deepEqual(
    (await now()).map(({ valid_until }) => valid_until),
    ["2024-12-31", null],
  );
  assert.equal((await verify(platform.context)).same, true);
});

Deno.test("a timestamp at the limits arrives exactly, or is quarantined", async () => {
  const source = `create table moment (
    moment_id integer primary key, day date, plain timestamp, zoned timestamptz
  );`;
  const sql = await smallProject({
    source,
    models: [{
      name: "fact_moment",
      kind: "fact",
      key: ["moment_id"],
      sql: "select moment_id, day, plain, zoned from changed.moment",
    }],
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  await execute(
    platform.source.client,
    `insert into moment values
      (1, '0001-01-01', '0001-01-01', '0001-01-01 00:00+00'),
      (2, '5874897-12-31', '294246-12-31 23:59:59.999999',
        '287395-12-31 23:59:59.999999+00'),
      (3, '0001-12-31 BC', null, null),
      (4, null, '0001-12-31 23:59 BC', null),
      (5, null, null, '0001-12-31 23:59+00 BC'),
      (6, null, '294276-12-31 23:59:59.999999', null),
      (7, null, null, '287396-01-01 00:00+00'),
      (8, null, null, '294246-12-31 23:59:59.999999+00'),
      (9, '-infinity', 'infinity', '-infinity')`,
  );

  await platform.run();

  const { warehouse: { client }, source: { client: from } } = platform;
  const texts = "moment_id::text, day::text, plain::text, zoned::text";
  assert.deepEqual(
    await query(client, `select ${texts} from fact_moment_current order by 1`),
    await query(
      from,
      `select ${texts} from moment where moment_id < 3 order by 1`,
    ),
  );
  const bad = await query(
    client,
    "select row_key from quarantine_current order by row_key",
  );
  assert.deepEqual(
    bad.map(({ row_key }) => row_key),
    ["3", "4", "5", "6", "7", "8", "9"],
  );
  assert.equal((await verify(platform.context)).same, true);
});
