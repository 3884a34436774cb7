import assert from "node:assert/strict";
import { StageError } from "../../../lib/errors.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import type { ProjectSql } from "../../../lib/project/project_sql.ts";
import { rebuildWarehouse } from "../../../load/repair/rebuild_warehouse.ts";
import { verify } from "../../../verify/verify.ts";
import {
  SALE_SOURCE,
  saleProject,
} from "../../harness/companies/sale_company.ts";
import {
  HISTORY_SQL,
  smallProject,
} from "../../harness/companies/small_project.ts";
import {
  execute,
  openPlatform,
  type Platform,
} from "../../harness/platform.ts";

const FACT = `create table fact_sale (sale_record_id bigint primary key,
  sale_id integer not null, units integer, shop_id integer, ${HISTORY_SQL})`;

/** What somebody did, and the model whose table has no row any more. */
const CHANGES: Readonly<
  Record<string, { sql?: string; migration?: string; model: string }>
> = {
  "a fact that was truncated": {
    sql: "truncate fact_sale",
    model: "fact_sale",
  },
  "a dimension that was emptied with its older versions": {
    sql: "delete from dim_shop; delete from dim_shop_closed",
    model: "dim_shop",
  },
  "a warehouse that was restored without its rows": {
    sql: "truncate fact_sale, dim_shop, dim_shop_closed",
    model: "dim_shop",
  },
  "a fact that a migration makes again": {
    migration: `drop table fact_sale cascade; ${FACT}`,
    model: "fact_sale",
  },
  "a fact that was dropped, and that a migration makes again": {
    sql: "drop table fact_sale cascade",
    migration: FACT,
    model: "fact_sale",
  },
};

/** A platform with a batch in its warehouse, and another that waits. */
async function openWaiting(sql: ProjectSql): Promise<Platform> {
  const platform = await openPlatform({ sql, sourceSql: SALE_SOURCE });
  const { client } = platform.source;
  await execute(
    client,
    "insert into shop values (1, 'A')",
    "insert into sale values (1, 5, 1)",
  );
  await platform.run();
  await execute(client, "insert into sale values (2, 6, 1)");
  await platform.extract();
  await platform.transform();
  return platform;
}

for (const [what, { sql, migration, model }] of Object.entries(CHANGES)) {
  Deno.test(`load refuses ${what}, until a rebuild fills it`, async () => {
    const project = await saleProject();
    await using platform = await openWaiting(project);
    const { context, warehouse: { client } } = platform;
    if (sql !== undefined) await execute(client, sql);
    if (migration !== undefined) {
      const again = { name: "0009_again", text: migration };
      const migrations = [...project.migrations, again];
      context.sql = { ...project, migrations };
    }

    await assert.rejects(platform.load(), (error) => {
      assert(error instanceof StageError, String(error));
      assert.equal(
        error.message,
        `Cannot load the model "${model}": its table is empty, and has had rows since batch 1`,
      );
      assert.match(error.hint ?? "", /`\.\/totesys rebuild warehouse`/);
      assert.equal(error.retryable, false);
      return true;
    });
    await rebuildWarehouse(context);

    await platform.run();
    const sales = await query(
      client,
      "select sale_id, from_batch from fact_sale order by sale_id",
    );
    assert.deepEqual(sales, [
      { sale_id: 1, from_batch: "1" },
      { sale_id: 2, from_batch: "2" },
    ]);
    assert.equal((await verify(context)).same, true);
  });
}

Deno.test("load refuses a dimension that lost all but its older versions", async () => {
  await using platform = await openPlatform({
    sql: await saleProject(),
    sourceSql: SALE_SOURCE,
  });
  const { context, source, warehouse } = platform;
  await execute(
    source.client,
    "insert into shop values (1, 'A')",
    "insert into sale values (1, 5, 1)",
  );
  await platform.run();
  await execute(source.client, "update shop set name = 'B'");
  await platform.run();
  await execute(
    warehouse.client,
    "set session_replication_role to replica",
    "delete from dim_shop",
  );
  await execute(source.client, "insert into shop values (2, 'C')");
  await platform.extract();
  await platform.transform();

  await assert.rejects(platform.load(), {
    message:
      'Cannot load the model "dim_shop": its table is empty, and has had rows since batch 1',
  });
  await rebuildWarehouse(context);
  await platform.run();
  assert.equal((await verify(context)).same, true);
});

Deno.test("load fills tables whose models have had no row yet, or only deleted ones", async () => {
  await using platform = await openPlatform({
    sql: await smallProject({
      source: SALE_SOURCE,
      models: [
        {
          name: "fact_large_sale",
          kind: "fact",
          key: ["sale_id"],
          sql: "select sale_id, units from changed.sale where units > 100",
        },
        {
          name: "dim_shop",
          key: ["shop_id"],
          sql: "select shop_id, name from changed.shop",
        },
      ],
    }),
    sourceSql: SALE_SOURCE,
  });
  const { context, source: { client } } = platform;
  await execute(
    client,
    "insert into shop values (1, 'A')",
    "insert into sale values (1, 5, 1)",
  );
  await platform.run();
  await execute(
    client,
    "update sale set units = 6",
    "delete from shop",
  );
  await platform.extract({ allowMassDelete: true });
  await platform.transform();
  await platform.load();
  await execute(client, "update sale set units = 7");
  await platform.run();
  await execute(
    client,
    "update sale set units = 700",
    "insert into shop values (2, 'B')",
  );

  await platform.run();

  const sales = await query(
    platform.warehouse.client,
    "select sale_id, units from fact_large_sale_current",
  );
  assert.deepEqual(sales, [{ sale_id: 1, units: 700 }]);
  assert.equal((await verify(context)).same, true);
});
