import assert from "node:assert/strict";
import { BatchLog } from "../../lib/batches/batch_log.ts";
import {
  allVersionsOf,
  type ProcessedManifest,
  versionsOf,
} from "../../lib/batches/manifest.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { liveFiles, processedManifest } from "../harness/manifests.ts";
import {
  assertSameHistories,
  lakeHistory,
  openLake,
  type State,
  warehouseHistory,
} from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import {
  changeSmall,
  fillSmall,
  insertOrder,
} from "../harness/companies/small_source.ts";

const BATCHES = 24;
const ONE_BY_ONE = { batchesMin: 1000 };
const IN_GROUPS = { batchesMin: 3 };

Deno.test("batches made in groups equal batches made one by one", async () => {
  await using platform = await openPlatform();
  await extractMany(platform);
  const single = apart(platform);
  await transform({ ...single.context, grouping: ONE_BY_ONE });

  platform.context.grouping = IN_GROUPS;
  await platform.transform();

  assert.deepEqual(await historyIn(platform), await historyIn(single));
  const grouped = await manifests(platform);
  assert.deepEqual(
    grouped.map(broughtBy),
    (await manifests(single)).map(broughtBy),
  );
  const ofGroups = grouped.filter(({ group }) => group !== undefined);
  assert.ok(ofGroups.length >= BATCHES / 2, `${ofGroups.length} in groups`);
  assert.ok(ofGroups.length < BATCHES, "none was made by itself");
  await platform.load();
  assertSameHistories(
    await historyIn(platform),
    await warehouseHistory(platform),
  );
  const serials = await recordIds(platform);
  assert.equal((await verify(platform.context)).same, true);
  await rebuildWarehouse({ ...single.context, grouping: ONE_BY_ONE }, {
    replaceLake: true,
  });
  assert.deepEqual(await recordIds(platform), serials);
});

Deno.test("rebuild processed makes groups, and the next batch continues from them", async () => {
  await using platform = await openPlatform();
  const { context, source } = platform;
  await extractMany(platform);
  await platform.transform();
  await platform.load();
  const before = await historyIn(platform);
  context.grouping = IN_GROUPS;

  await rebuildProcessed(context);

  assert.deepEqual(await historyIn(platform), before);
  const { repaired } = await rebuildWarehouse(context);
  assert.deepEqual(Object.values(repaired).filter((rows) => rows > 0), []);
  await execute(source.client, insertOrder(900));
  await platform.run();
  assert.equal((await verify(context)).same, true);
});

Deno.test("a group that was committed in part is finished by the next run", async () => {
  await using platform = await openPlatform();
  const { context, source } = platform;
  context.grouping = IN_GROUPS;
  await fillSmall(source.client);
  await platform.run();
  for (let batch = 2; batch <= 12; batch++) {
    await execute(source.client, insertOrder(100 + batch));
    await platform.extract();
  }
  context.resources = changedZones(RESOURCES, (zone) => ({
    create: (key, content) => {
      if (key.endsWith("000000007.json")) throw new Error("the disk is full");
      return zone.create(key, content);
    },
  }));
  await assert.rejects(platform.transform(), { message: "the disk is full" });
  context.resources = RESOURCES;

  const { group } = await processedManifest(platform, 6);
  assert.equal(group?.to, 12);
  assert.deepEqual((await platform.load()).batches, [2, 3, 4, 5, 6]);
  const [loaded] = await query(
    platform.warehouse.client,
    "select count(*) as orders from fact_sales_order_current",
  );
  assert.equal(loaded?.orders, String(3 + 5));
  await using early = await openLake(platform);
  const [seen] = await early.rows(
    "select count(*) as orders from totes.fact_sales_order_current",
  );
  assert.equal(seen?.orders, "3");

  const { batches } = await platform.transform();

  assert.deepEqual(batches, [7, 8, 9, 10, 11, 12]);
  const last = await processedManifest(platform, 12);
  assert.equal(allVersionsOf(last), 1);
  await platform.load();
  assert.equal((await verify(context)).same, true);
  const files = await liveFiles(platform);
  assert.deepEqual(
    files.filter(({ model }) => model === "fact_sales_order")
      .map(({ from, to, level }) => [from, to, level]),
    [[1, 12, 1]],
  );
});

/** A source that changes, extracted and not transformed yet. */
async function extractMany(platform: Platform): Promise<void> {
  const { client } = platform.source;
  await fillSmall(client);
  for (let batch = 1; batch <= BATCHES; batch++) {
    await changeSmall(client, batch);
    await execute(
      client,
      `update staff set email_address = 'mail ${batch}' where staff_id = 1`,
      ...batch % 7 === 0
        ? [`insert into sales_order select 1000 + ${batch}, created_at,
            last_updated, design_id, staff_id, counterparty_id, units_sold,
            unit_price, currency_id, '2024-01-${10 + batch % 7}',
            '2024-02-${10 + batch / 7}', agreed_delivery_location_id
          from sales_order where sales_order_id = 1`]
        : [],
      ...batch === 13
        ? ["delete from counterparty where counterparty_id = 3"]
        : [],
    );
    await platform.extract(batch === 17 ? { fullRead: true } : {});
  }
}

async function historyIn(platform: Platform): Promise<State> {
  await using lake = await openLake(platform);
  return await lakeHistory(lake);
}

/** The same platform with a processed zone of its own. */
function apart(platform: Platform): Platform {
  const config = {
    ...platform.config,
    processedUrl: `${platform.config.processedUrl}-apart`,
  };
  return { ...platform, config, context: { ...platform.context, config } };
}

async function manifests(platform: Platform): Promise<ProcessedManifest[]> {
  const zone = openZone(platform.config.processedUrl, { s3: undefined });
  const log = new BatchLog<ProcessedManifest>(zone, "transform");
  return await Array.fromAsync(log.range({ from: 1, to: BATCHES }));
}

/** What a manifest says of its batch, however it was made. */
function broughtBy({ batch, models, quarantined }: ProcessedManifest) {
  return {
    batch,
    quarantined,
    models: Object.entries(models).map((
      [name, model],
    ) => [name, versionsOf(model), model.deletes, model.columns]).sort(),
  };
}

async function recordIds({ warehouse }: Platform) {
  return await query(
    warehouse.client,
    `select sales_record_id, sales_order_id, from_batch
    from fact_sales_order_history order by sales_record_id`,
  );
}
