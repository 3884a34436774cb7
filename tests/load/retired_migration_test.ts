import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import {
  dimensionSql,
  smallProject,
} from "../harness/companies/small_project.ts";

const SOURCE =
  "create table item (item_id integer primary key, title text not null);";

/** A company whose warehouse has, or had, a table by a migration. */
function company(warehouse: string) {
  return smallProject({
    source: SOURCE,
    models: [{
      name: "dim_item",
      key: ["item_id"],
      sql: "select item_id, title from changed.item",
    }],
    warehouse,
  });
}

const DECLARED = dimensionSql(
  "dim_item",
  "item_id integer primary key, title text not null",
);
const RETIRED = "-- Retired: the table follows from its model.\n";

async function titles(platform: Platform): Promise<string[]> {
  const rows = await query(
    platform.warehouse.client,
    "select title from dim_item_history order by from_batch",
  );
  return rows.map(({ title }) => title ?? "");
}

Deno.test("a warehouse with a migration that was retired since still loads", async () => {
  await using platform = await openPlatform({
    sql: await company(DECLARED),
    sourceSql: SOURCE,
  });
  const { client } = platform.source;
  await execute(client, "insert into item values (1, 'Bolt')");
  await platform.run();
  platform.context.sql = await company(RETIRED);
  await execute(client, "update item set title = 'Nut'");

  await platform.run();

  assert.deepEqual(await titles(platform), ["Bolt", "Nut"]);
  assert.equal((await verify(platform.context)).same, true);
});

Deno.test("a new warehouse gets from its model what a retired migration made", async () => {
  await using platform = await openPlatform({
    sql: await company(RETIRED),
    sourceSql: SOURCE,
  });
  await execute(platform.source.client, "insert into item values (1, 'Bolt')");

  await platform.run();

  assert.deepEqual(await titles(platform), ["Bolt"]);
  assert.ok(platform.logged.includes("info: table dim_item made"));
  assert.ok(
    platform.logged.every((line) => !line.includes("0002_tables applied")),
  );
});
