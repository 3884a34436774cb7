import assert from "node:assert/strict";
import { query, queryRow } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resyncTables } from "../../load/repair/resync_tables.ts";
import { verify } from "../../verify/verify.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

Deno.test("a column that users added keeps its default", async () => {
  await using platform = await openPlatform();
  const { source, warehouse: { client }, context } = platform;
  await fillSmall(source.client);
  await execute(
    client,
    `alter table fact_sales_order
      add loaded_at timestamptz not null default now(),
      add number bigint not null generated always as identity,
      add double integer generated always as (units_sold * 2) stored`,
    "alter table dim_staff add seen date not null default current_date",
    "alter table quarantine add seen date not null default current_date",
    // A default of a model's own column takes nothing from the model.
    "alter table fact_sales_order alter units_sold set default 99",
  );
  const given = () =>
    query(
      client,
      `select sales_record_id, loaded_at, number from fact_sales_order
      order by sales_record_id`,
    );

  await platform.run();
  await execute(source.client, insertOrder(30));
  await execute(
    source.client,
    "update staff set last_name = 'New', last_updated = now() where staff_id = 1",
  );
  await platform.run();
  const before = await given();
  await rebuildWarehouse(context);
  await resyncTables(context, { tables: ["staff", "sales_order"] });

  assert.equal(before.length, 4);
  assert.deepEqual(await given(), before);
  await assertMirrored(platform);
  const row = await queryRow(
    client,
    `select count(*) filter (where seen is null) as unseen,
      (select sum(double) = 2 * sum(units_sold) from fact_sales_order) as twice
    from dim_staff`,
  );
  assert.deepEqual({ ...row }, { unseen: "0", twice: true });
  const verification = await verify(context);
  assert.deepEqual(differences(verification), []);
  assert.equal(verification.same, true);
});

Deno.test("tables with partitions are filled, merged and rebuilt", async () => {
  await using platform = await openPlatform();
  const { source, warehouse: { client }, context } = platform;
  await fillSmall(source.client);
  await execute(
    client,
    "alter table fact_sales_order rename to plain",
    `create table fact_sales_order (like plain including defaults)
      partition by range (from_batch)`,
    `create table first_batch partition of fact_sales_order
      for values from (1) to (2)`,
    "create table other_batches partition of fact_sales_order default",
    `alter table fact_sales_order
      add primary key (sales_record_id, from_batch),
      add foreign key (created_date) references dim_date,
      add foreign key (last_updated_date) references dim_date,
      add foreign key (agreed_payment_date) references dim_date,
      add foreign key (agreed_delivery_date) references dim_date,
      add foreign key (sales_staff_id) references dim_staff,
      add foreign key (counterparty_id) references dim_counterparty,
      add foreign key (currency_id) references dim_currency,
      add foreign key (design_id) references dim_design,
      add foreign key (agreed_delivery_location_id) references dim_location`,
    "create index own on fact_sales_order (design_id)",
    "drop table plain cascade",
    "call pipeline.make_views('fact_sales_order')",
  );
  const objects = () =>
    query(
      client,
      `select indexrelid::regclass::text as name, indisvalid::text as valid
      from pg_index where indrelid::regclass::text
        in ('fact_sales_order', 'first_batch', 'other_batches')
      union all
      select conname, contype::text from pg_constraint
      where conrelid = 'fact_sales_order'::regclass order by name, valid`,
    );
  const before = await objects();

  await platform.run();
  await execute(source.client, insertOrder(30));
  await platform.run();
  await execute(client, "update fact_sales_order set units_sold = 7");
  await rebuildWarehouse(context);

  await assertMirrored(platform);
  assert.deepEqual(await objects(), before);
  const row = await queryRow(
    client,
    `select (select count(*) from first_batch) as first,
      (select count(*) from other_batches) as others`,
  );
  assert.deepEqual({ ...row }, { first: "3", others: "1" });
});

Deno.test("load works with a publication of all tables", async () => {
  await using platform = await openPlatform();
  const { source, warehouse: { client, settings }, context } = platform;
  await fillSmall(source.client);
  await execute(
    client,
    `create publication all_${settings.database} for all tables`,
  );

  await platform.run();
  await execute(source.client, insertOrder(30));
  await platform.run();
  await rebuildWarehouse(context);

  await assertMirrored(platform);
});
