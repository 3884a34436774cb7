import assert from "node:assert/strict";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { projectOf } from "../harness/companies/small_project.ts";
import { stopAtEveryMoment } from "../harness/stop_at_every_moment.ts";

/** The tables, the smallest first, each with the model that shows it. */
const PARTS = [
  {
    table:
      `create table shop (shop_id integer primary key, name text not null);`,
    model: ["dim_shop", "Key: shop_id", "shop_id, name", "shop"],
  },
  {
    table:
      `create table sale (sale_id integer primary key, shop_id integer not null,
      units integer not null);`,
    model: ["fact_sale", "Key: sale_id", "sale_id, shop_id, units", "sale"],
  },
  {
    table:
      `create table click (click_id integer primary key, sale_id integer not null,
      page text not null);`,
    model: ["fact_click", "Key: click_id", "click_id, sale_id, page", "click"],
  },
] as const;

/** A company that has come so far. */
async function project(tables: number): Promise<ProjectSql> {
  const parts = PARTS.slice(0, tables);
  return await projectOf({
    "source.sql": parts.map(({ table }) => table).join("\n"),
    ...Object.fromEntries(parts.map(({ model: [name, key, columns, from] }) => [
      `models/${name}.sql`,
      `-- ${key}\n\nselect ${columns}\nfrom changed.${from};\n`,
    ])),
  });
}

Deno.test("a first load by tables keeps what it has when the next is stopped", async () => {
  await using platform = await openPlatform({
    sql: await project(1),
    sourceSql: PARTS.map(({ table }) => table).join("\n"),
  });
  const { client } = platform.source;
  await execute(
    client,
    "insert into shop select id, 'Shop ' || id from generate_series(1, 3) as id",
    "insert into sale select id, 1 + id % 3, id from generate_series(1, 50) as id",
    "insert into click select id, 1 + id % 50, '/' from generate_series(1, 90) as id",
  );
  await platform.run();
  await execute(
    client,
    "update shop set name = 'Moved' where shop_id = 2",
    "delete from sale where sale_id = 7",
  );

  platform.context.sql = await project(2);
  const stops = await stopAtEveryMoment(platform, {
    run: () => platform.extract(),
    afterStop: async () => {
      assert.deepEqual((await platform.transform()).batches, []);
    },
  });
  await platform.transform();
  await platform.load();
  await execute(client, "update sale set units = 9 where sale_id = 1");
  platform.context.sql = await project(3);
  await platform.run();

  assert.ok(stops > 2, `stopped ${stops} times`);
  assert.deepEqual(await counts(platform), {
    shops: "3",
    older_shops: "1",
    sales: "49",
    older_sales: "1",
    clicks: "90",
  });
  assert.ok((await verify(platform.context)).same);
});

async function counts({ warehouse }: Platform): Promise<unknown> {
  const { rows } = await warehouse.client.query(`select
    (select count(*) from dim_shop_current) as shops,
    (select count(*) from dim_shop_closed) as older_shops,
    (select count(*) from fact_sale_current) as sales,
    (select count(*) from fact_sale where valid_to is not null) as older_sales,
    (select count(*) from fact_click_current) as clicks`);
  return rows[0];
}
