import assert from "node:assert/strict";
import type { LiveFile } from "../../lib/batches/manifest.ts";
import { query } from "../../lib/postgres/postgres.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { sweep } from "../../sweep/sweep.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import {
  forgetHoldsUntil,
  forgetLiveFiles,
  liveFiles,
  processedManifest,
} from "../harness/manifests.ts";
import {
  assertSameHistories,
  lakeHistory,
  lakeStates,
  openLake,
  warehouseHistory,
} from "../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../harness/platform.ts";
import { assertFreshlyLoaded } from "../harness/rebuild.ts";
import { changeSmall, fillSmall } from "../harness/companies/small_source.ts";
import { StoreClock } from "../harness/store_clock.ts";

const BATCHES = 40;
const FAN_OUT = 3;
const NEVER = 1000;
const OLD_HOURS = 49;

Deno.test("a lake of merged files has the same rows as one of unmerged files, and a late warehouse catches up from it", async () => {
  await using platform = await openPlatform();
  const { context, config } = platform;
  const clock = new StoreClock(platform);
  context.compaction = { fanOut: FAN_OUT };
  await fillSmall(platform.source.client);
  for (let batch = 1; batch <= BATCHES; batch++) {
    await changeSmall(platform.source.client, batch);
    await platform.extract();
    await platform.transform();
    if (batch === BATCHES - 30) await platform.load();
  }
  // The same batches, each with its own files for ever.
  const unmerged: Platform = {
    ...platform,
    config: { ...config, processedUrl: `${config.processedUrl}-unmerged` },
  };
  await transform({
    ...context,
    config: unmerged.config,
    compaction: { fanOut: NEVER },
  });

  await assertSameLakes(platform, unmerged);
  const files = await liveFiles(platform);
  const most = Math.max(...countByModel(files));
  assert.ok(most <= 4 * FAN_OUT, `${most} files of a model`);
  assert.ok(files.some(({ level }) => level >= 3));
  await clock.leap(OLD_HOURS);
  const { filesRemoved } = await sweep(context, { zone: "processed" });
  assert.ok(filesRemoved > 2 * BATCHES, `${filesRemoved} removed`);

  await assertSameLakes(platform, unmerged);
  assert.equal((await platform.load()).batches.length, 30);
  await using lake = await openLake(platform);
  assertSameHistories(
    await lakeHistory(lake),
    await warehouseHistory(platform),
  );
  await assertFreshlyLoaded(platform);
  const { repaired } = await rebuildWarehouse(context);
  assert.deepEqual(Object.values(repaired).filter((rows) => rows > 0), []);
  assert.equal((await verify(context)).same, true);
  assert.equal((await sweep(context, { zone: "processed" })).filesRemoved, 0);
});

Deno.test("a lake whose manifests list no live files continues, and its files are merged", async () => {
  await using platform = await openPlatform();
  const { context, config } = platform;
  context.compaction = { fanOut: NEVER };
  await fillSmall(platform.source.client);
  for (let batch = 1; batch <= 9; batch++) {
    await changeSmall(platform.source.client, batch);
    await platform.extract();
    await platform.transform();
  }
  const zone = openZone(config.processedUrl, { s3: undefined });
  await forgetLiveFiles(zone, { from: 1 });
  await zone.remove("lake.duckdb");
  await platform.transform();
  const before = await lakeStates(platform, 9);
  context.compaction = { fanOut: FAN_OUT };

  for (let batch = 10; batch <= 12; batch++) {
    await platform.extract(batch === 11 ? { fullRead: true } : {});
    await platform.transform();
  }

  const after = await lakeStates(platform, 9);
  assert.deepEqual(after, before);
  assert.ok((await liveFiles(platform)).some(({ level }) => level === 2));
  assert.deepEqual((await processedManifest(platform, 11)).models, {});
  await platform.load();
  await using lake = await openLake(platform);
  assertSameHistories(
    await lakeHistory(lake),
    await warehouseHistory(platform),
  );
  assert.equal((await verify(context)).same, true);
});

Deno.test("files that the version before merged are read and merged like others", async () => {
  await using platform = await openPlatform();
  const { context } = platform;
  context.compaction = { fanOut: FAN_OUT };
  await fillSmall(platform.source.client);
  const next = async (batch: number) => {
    await changeSmall(platform.source.client, batch);
    await platform.extract();
    await platform.transform();
  };
  for (let batch = 1; batch <= 4; batch++) await next(batch);
  const before = await lakeStates(platform, 4);
  await forgetHoldsUntil(platform);
  await platform.transform();

  assert.deepEqual(await lakeStates(platform, 4), before);
  for (let batch = 5; batch <= 7; batch++) await next(batch);
  const mixed = await lakeStates(platform, 7);
  const saysUntil = async () => {
    const files = (await liveFiles(platform))
      .filter(({ model, level }) => model === "fact_sales_order" && level > 0);
    return files.map(({ from, to, holdsUntilBy }) => [from, to, holdsUntilBy]);
  };
  const key = ["sales_order_id"];
  assert.deepEqual(await saysUntil(), [[1, 3, undefined], [4, 6, key]]);
  await platform.load();
  for (let batch = 8; batch <= 11; batch++) await next(batch);
  assert.deepEqual(await saysUntil(), [[1, 9, key]]);
  assert.deepEqual(
    (await lakeStates(platform, 7)).slice(2),
    mixed.slice(2),
  );
  await platform.load();
  assert.equal((await verify(context)).same, true);
});

Deno.test("files from before and after a model's new column are merged separately, and older rows have null", async () => {
  await using platform = await openPlatform();
  const { context, source } = platform;
  const clock = new StoreClock(platform);
  context.compaction = { fanOut: FAN_OUT };
  await fillSmall(source.client);
  const next = async (batch: number) => {
    if (batch < 8) {
      await execute(
        source.client,
        `update design set design_name = 'N${batch}' where design_id = 1`,
      );
    }
    await platform.extract();
    await transform(context, { accept: true });
  };
  for (let batch = 1; batch <= 4; batch++) await next(batch);
  context.sql = withDesignLength(PROJECT_SQL);
  for (let batch = 5; batch <= 7; batch++) await next(batch);
  const before = await designs(platform);

  await next(8);

  const after = await designs(platform);
  assert.deepEqual(after, before);
  assert.deepEqual(
    after.map((row) => row.name_length),
    [null, null, null, null, "2", "2", "2", null, null],
  );
  const files = await liveFiles(platform);
  assert.deepEqual(
    files.filter(({ model }) => model === "dim_design")
      .map(({ from, to }) => [from, to]),
    [[1, 4], [5, 7]],
  );
  await clock.leap(OLD_HOURS);
  assert.ok((await sweep(context, { zone: "processed" })).filesRemoved > 0);
  await platform.load();
  const loaded = await query(
    platform.warehouse.client,
    `select ${DESIGN_COLUMNS} from dim_design_history
    order by dim_design_history.design_id, dim_design_history.from_batch`,
  );
  assert.deepEqual(loaded, after);
});

Deno.test("values of a removed column stay in merged files, and return with the column", async () => {
  await using platform = await openPlatform();
  const { context, source } = platform;
  const clock = new StoreClock(platform);
  context.compaction = { fanOut: FAN_OUT };
  await fillSmall(source.client);
  const next = async (sql: ProjectSql) => {
    context.sql = sql;
    await execute(
      source.client,
      `update design set design_name = design_name || 'x' where design_id = 1`,
    );
    await platform.extract();
    await transform(context, { accept: true });
  };
  const wide = withDesignLength(PROJECT_SQL);
  for (let batch = 1; batch <= 3; batch++) await next(wide);
  for (let batch = 4; batch <= 7; batch++) await next(PROJECT_SQL);
  await clock.leap(OLD_HOURS);
  await sweep(context, { zone: "processed" });

  await next(wide);

  const lengths = (await designs(platform))
    .map((row) => [row.design_id, row.name_length].join(" "));
  assert.deepEqual(lengths, [
    "1 7",
    "1 8",
    "1 9",
    "1 ",
    "1 ",
    "1 ",
    "1 ",
    "1 14",
    "2 6",
    "3 6",
  ]);
});

Deno.test("transform --compact merges all due files, and reports when no batch is pending", async () => {
  await using platform = await openPlatform();
  const { context } = platform;
  context.compaction = { fanOut: 2, mergesMax: 0 };
  await fillSmall(platform.source.client);
  for (let batch = 1; batch <= 8; batch++) {
    await changeSmall(platform.source.client, batch);
    await platform.extract();
    await platform.transform();
  }

  await transform(context, { compact: true });
  const told = platform.logged.at(-1) ?? "";
  await platform.extract();
  await transform(context, { compact: true });

  assert.match(told, /nothing was merged: the \d+ merges that are due/);
  const files = await liveFiles(platform);
  const orders = files.filter(({ model }) => model === "fact_sales_order");
  assert.deepEqual(
    orders.map(({ from, to, level }) => [from, to, level]),
    [[1, 8, 3]],
  );
  await transform(context, { compact: true });
  assert.match(platform.logged.at(-1) ?? "", /nothing to merge/);
});

const DESIGN_COLUMNS =
  "design_id::text as design_id, design_name, name_length::text as name_length, from_batch::text as from_batch";

function withDesignLength(sql: ProjectSql): ProjectSql {
  return {
    ...sql,
    transformHash: "another",
    models: sql.models.map((model) =>
      model.name !== "dim_design" ? model : {
        ...model,
        sql: `select *, cast(length(design_name) as integer) as name_length
          from (${model.sql})`,
      }
    ),
  };
}

async function designs(platform: Platform) {
  await using lake = await openLake(platform);
  return await lake.rows(
    `select ${DESIGN_COLUMNS} from totes.dim_design_history
    order by dim_design_history.design_id, dim_design_history.from_batch`,
  );
}

async function assertSameLakes(
  platform: Platform,
  unmerged: Platform,
): Promise<void> {
  assert.deepEqual(
    await lakeStates(platform, BATCHES),
    await lakeStates(unmerged, BATCHES),
  );
}

function countByModel(files: readonly LiveFile[]): number[] {
  return [...Map.groupBy(files, ({ model }) => model).values()]
    .map(({ length }) => length);
}
