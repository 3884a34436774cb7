import assert from "node:assert/strict";
import { query } from "../../../lib/postgres/postgres.ts";
import { missingIndexes } from "../../../load/tables/missing_indexes.ts";
import { rebuildWarehouse } from "../../../load/repair/rebuild_warehouse.ts";
import { assertMirrored } from "../../harness/readers/mirror.ts";
import {
  execute,
  openPlatform,
  type Platform,
} from "../../harness/platform.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";

async function openLoaded(): Promise<Platform> {
  const platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.run();
  return platform;
}

/** The definitions of all indexes, keys among them. */
async function indexesOf({ warehouse }: Platform): Promise<string[]> {
  const rows = await query(
    warehouse.client,
    `select pg_get_indexdef(indexrelid) || ' ' || indisprimary as index
    from pg_index
    inner join pg_class on pg_class.oid = indexrelid
    where relnamespace in ('public'::regnamespace, 'pipeline'::regnamespace)
    order by index`,
  );
  return rows.map(({ index }) => index ?? "");
}

/**
 * Statements that drop each index and key, but for dimensions' keys, what load
 * makes again, and sql/warehouse's.
 */
async function dropsOf({ warehouse }: Platform): Promise<string[]> {
  const rows = await query(
    warehouse.client,
    `select case
        when conname is null then format('drop index %s', indexrelid::regclass)
        else format('alter table %s drop constraint %I', conrelid::regclass,
          conname)
      end as statement
    from pg_index
    inner join pg_class on pg_class.oid = indexrelid
    left join pg_constraint on conindid = indexrelid and contype = 'p'
    where relnamespace in ('public'::regnamespace, 'pipeline'::regnamespace)
      and relname <> 'fact_sales_order_design_id_idx'
      and (relname not like 'dim\\_%' or relname like '%\\_closed_pkey')`,
  );
  return rows.map(({ statement }) => statement ?? "");
}

Deno.test("missingIndexes() gives what makes each dropped index again", async () => {
  await using platform = await openLoaded();
  const { warehouse: { client }, context: { sql } } = platform;
  const before = await indexesOf(platform);
  assert.deepEqual(await missingIndexes(client, sql), []);
  const drops = await dropsOf(platform);
  await execute(client, ...drops);

  const statements = await missingIndexes(client, sql);
  await execute(client, ...statements);

  assert.ok(drops.length > 30, String(drops.length));
  assert.equal(statements.length, drops.length);
  assert.deepEqual(await indexesOf(platform), before);
});

Deno.test("load() makes the indexes of older versions again, which missingIndexes() leaves out", async () => {
  await using platform = await openLoaded();
  const { warehouse: { client }, context: { sql } } = platform;
  const before = await indexesOf(platform);
  await execute(
    client,
    "drop index dim_design_closed_from_batch_idx, dim_design_closed_to_batch_idx",
  );

  const statements = await missingIndexes(client, sql);
  await platform.load();

  assert.deepEqual(statements, []);
  assert.deepEqual(await indexesOf(platform), before);

  // Neither of these serves, and load makes its own.
  await execute(
    client,
    "drop index dim_design_closed_from_batch_idx, dim_design_closed_to_batch_idx",
    "create index part on dim_design_closed (to_batch) where to_batch < 0",
    "create index broken on dim_design_closed (from_batch)",
    "update pg_index set indisvalid = false where indexrelid = 'broken'::regclass",
  );
  await platform.load();
  await execute(client, "drop index part, broken");
  assert.deepEqual(
    (await indexesOf(platform)).length,
    before.length,
  );
});

Deno.test("missingIndexes() leaves out what has another in its place", async () => {
  await using platform = await openLoaded();
  const { warehouse: { client }, context: { sql } } = platform;
  await execute(
    client,
    "drop index fact_payment_from_batch_idx",
    "create index on fact_payment (from_batch, payment_id)",
    "drop index fact_payment_payment_id_from_batch_idx",
    "create unique index mine on fact_payment (from_batch, payment_id)",
    "alter table fact_payment drop constraint fact_payment_pkey",
    "alter table fact_payment add primary key (payment_record_id, from_batch)",
  );

  assert.deepEqual(await missingIndexes(client, sql), []);

  await execute(
    client,
    "drop index mine",
    "create unique index mine on fact_payment (payment_record_id) include (payment_id, from_batch)",
  );
  assert.deepEqual(await missingIndexes(client, sql), [
    "create unique index on fact_payment (payment_id, from_batch)",
  ]);
});

Deno.test("a rebuild leaves one of rows that a dropped key let in twice", async () => {
  await using platform = await openLoaded();
  const { warehouse: { client }, context } = platform;
  const before = await indexesOf(platform);
  await execute(
    client,
    "alter table fact_payment drop constraint fact_payment_pkey",
    "drop index fact_payment_payment_id_idx, fact_payment_payment_id_from_batch_idx",
    "insert into fact_payment select * from fact_payment where payment_id = 1",
  );

  await rebuildWarehouse(context);
  await execute(client, ...await missingIndexes(client, context.sql));

  assert.deepEqual(await indexesOf(platform), before);
  await assertMirrored(platform);
});
