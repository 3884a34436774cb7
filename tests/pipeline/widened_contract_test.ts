import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { openLake } from "../harness/readers/oracle.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { WIDENED, widenedSql } from "../harness/companies/widened_sql.ts";
import { smallProject } from "../harness/companies/small_project.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

Deno.test("a column added to the contract is null in older versions, and right in later ones", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  await execute(client, insertOrder(9));
  await platform.extract();
  await platform.transform();
  // One batch waits to be loaded, made before the change.
  await execute(client, ...WIDENED);
  const folder = await Deno.makeTempDir();
  platform.context.sql = await widenedSql(folder);
  await platform.extract();
  await transform(platform.context, { accept: true });
  await platform.load();

  assert.deepEqual(
    await query(
      platform.warehouse.client,
      "select staff_id::text as id, nickname from dim_staff order by 1",
    ),
    [
      { id: "1", nickname: null },
      { id: "2", nickname: "Nick" },
      { id: "3", nickname: null },
      { id: "4", nickname: null },
    ],
  );
  assert.deepEqual(
    await query(
      platform.warehouse.client,
      "select distinct symbol from dim_currency",
    ),
    [{ symbol: "?" }],
  );
  await using lake = await openLake(platform);
  assert.deepEqual(
    await lake.rows(
      `select symbol, from_batch from totes.dim_currency_history
      where currency_id = 1 order by from_batch`,
    ),
    [
      { symbol: null, from_batch: "1" },
      { symbol: "?", from_batch: "3" },
    ],
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a model that selects all columns follows the contract without an edit", async () => {
  const project = (columns: string) =>
    smallProject({
      source: `create table item (${columns}, primary key (item_id));`,
      models: [{
        name: "dim_item",
        key: ["item_id"],
        sql: "select * from changed.item",
      }],
    });
  const before = "item_id integer not null";
  await using platform = await openPlatform({
    sql: await project(before),
    sourceSql: `create table item (${before} primary key)`,
  });
  const { source, warehouse, context } = platform;
  await execute(source.client, "insert into item values (1), (2)");
  await platform.run();
  await execute(
    source.client,
    "alter table item add size text not null default 'small'",
  );

  context.sql = await project(`${before}, size text not null`);
  await platform.extract();
  await transform(context, { accept: true });
  await platform.load();

  const rows = await query(
    warehouse.client,
    "select item_id, size from dim_item_current order by item_id",
  );
  assert.deepEqual(rows.map(({ size }) => size), ["small", "small"]);
  assert.equal((await verify(context)).same, true);
});
