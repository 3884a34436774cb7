import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { smallProject } from "../harness/small_project.ts";

Deno.test("a date that may be infinite is carried as text, and means what its model says", async () => {
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
