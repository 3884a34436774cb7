import assert from "node:assert/strict";
import { BatchLog } from "../../lib/batches/batch_log.ts";
import { readGeneration } from "../../lib/batches/generation.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { openStageZone, type StageContext } from "../../lib/stage.ts";
import { publishLake } from "../../transform/lake/publish_lake.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { processedManifest } from "../harness/manifests.ts";
import { openLake } from "../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../harness/platform.ts";
import { checksums } from "../harness/rebuild.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

const HOURS_13_MS = 13 * 3_600_000;

Deno.test("rebuildProcessed() makes each batch again, and the lake shows them", async () => {
  await using platform = await openPlatform();
  await extractThree(platform);
  await platform.transform();
  const before = await manifests(platform);
  const lakeBefore = await lakeAbout(platform);

  const result = await rebuildProcessed(platform.context);

  const after = await manifests(platform);
  assert.deepEqual(after.map(checksums), before.map(checksums));
  assert.deepEqual(result.batches, [1, 2, 3]);
  assert.equal(result.snapshotTime, before[2]?.snapshotTime);
  const runs = new Set(before.map((manifest) => manifest.runId));
  assert.ok(after.every((manifest) => !runs.has(manifest.runId)));
  const lake = await lakeAbout(platform);
  assert.equal(lakeBefore.generation, "");
  assert.equal(lake.generation, await generation(platform));
  assert.equal(lake.batch, "3");
  assert.ok(lake.files.every((key) => !lakeBefore.files.includes(key)));
});

Deno.test("rebuildProcessed() works when sql/ has changed", async () => {
  await using platform = await openPlatform();
  await extractThree(platform);
  await platform.transform();
  await platform.extract();
  platform.context.sql = {
    ...PROJECT_SQL,
    transformHash: "changed",
    models: PROJECT_SQL.models.map((model) =>
      model.name === "dim_design"
        ? { ...model, sql: `${model.sql} where design_id > 0` }
        : model
    ),
  };
  await assert.rejects(platform.transform(), {
    hint:
      /`\.\/totesys rebuild processed`, then `\.\/totesys rebuild warehouse`/,
  });

  await rebuildProcessed(platform.context);

  const hashes = (await manifests(platform, 4)).map((one) => one.transformHash);
  assert.deepEqual(new Set(hashes), new Set(["changed"]));
  await platform.extract();
  assert.deepEqual((await platform.transform()).batches, [5]);
});

Deno.test("of two concurrent rebuilds one wins, and the other reports it", async () => {
  await using platform = await openPlatform();
  await extractThree(platform);
  await platform.transform();

  const results = await Promise.all([
    rebuildProcessed(platform.context),
    rebuildProcessed(platform.context),
  ]);

  const losers = results.filter((result) => result.overtaken);
  assert.deepEqual(losers.map((loser) => loser.batches), [[]]);
  assert.match(
    platform.logged.join("\n"),
    /warning: another rebuild activated its generation first/,
  );
  assert.equal(
    (await lakeAbout(platform)).generation,
    await generation(platform),
  );
});

Deno.test("rebuildProcessed() includes batches that are committed meanwhile", async () => {
  await using platform = await openPlatform();
  await extractThree(platform);
  await platform.transform();
  const busy = meanwhile(platform, async () => {
    await platform.extract();
    await platform.transform();
  });

  const { batches } = await rebuildProcessed(busy);

  assert.deepEqual(batches, [1, 2, 3, 4]);
  assert.equal((await processedManifest(platform, 4)).batch, 4);
});

Deno.test("a transform that began before the activation loses nothing", async () => {
  await using platform = await openPlatform();
  await extractThree(platform);
  await platform.transform();
  await execute(platform.source.client, insertOrder(77));
  await platform.extract();
  const slow = meanwhile(platform, () => rebuildProcessed(platform.context));

  // It commits into the generation that it knows, and leaves the lake alone.
  assert.deepEqual((await transform(slow)).batches, [4]);

  assert.equal(
    (await lakeAbout(platform)).generation,
    await generation(platform),
  );
  assert.notEqual(await generation(platform), "");
  await platform.transform();
  await using lake = await openLake(platform);
  assert.equal(
    (await lake.rows("from totes.fact_sales_order_current")).length,
    4,
  );
});

Deno.test("publishLake() replaces the lake of another generation, whatever its batch", async () => {
  await using platform = await openPlatform();
  await extractThree(platform);
  await platform.transform();
  const { config, context } = platform;
  const stale = await Deno.readFile(`${config.processedUrl}/lake.duckdb`);
  await rebuildProcessed(context);
  await Deno.writeFile(`${config.processedUrl}/lake.duckdb`, stale);

  await platform.transform();

  assert.equal(
    (await lakeAbout(platform)).generation,
    await generation(platform),
  );
  // Who still holds the first generation has nothing to show.
  const zone = openStageZone(context, "processed");
  const batches = new BatchLog<ProcessedManifest>(zone, "transform", {
    generation: "",
  });
  await using duckdb = await context.resources.openDuckDb(config, {
    zones: [zone.url],
  });
  await publishLake(duckdb, {
    zone,
    batches,
    newest: await batches.read(3),
    sql: { ...PROJECT_SQL, models: [] },
    columns: new Map(),
    log: context.log,
  });
  assert.equal(
    (await lakeAbout(platform)).generation,
    await generation(platform),
  );
});

Deno.test("rebuildProcessed() replaces damaged files, and reports them", async () => {
  await using platform = await openPlatform();
  await extractThree(platform);
  await platform.transform();
  const before = await manifests(platform);
  await Deno.writeTextFile(
    `${platform.config.processedUrl}/_batches/000000003.json`,
    "{",
  );

  await rebuildProcessed(platform.context);

  assert.match(
    platform.logged.join("\n"),
    /warning: the generation to be replaced can't be read: Cannot read the manifest/,
  );
  assert.deepEqual(
    (await manifests(platform)).map(checksums),
    before.map(checksums),
  );
});

Deno.test("rebuildProcessed() never drops an existing batch", async () => {
  await using platform = await openPlatform();
  const { ingestionUrl, processedUrl } = platform.config;
  await assert.rejects(rebuildProcessed(platform.context), {
    name: "StageError",
    message: `Cannot rebuild ${processedUrl}: ${ingestionUrl} holds no batch`,
    subject: processedUrl,
    hint: /^Nothing was changed/,
  });
  await extractThree(platform);
  await platform.transform();
  const last = `${ingestionUrl}/_batches/000000003.json`;

  await Deno.rename(last, `${last}.kept`);
  await assert.rejects(rebuildProcessed(platform.context), {
    message:
      `Cannot continue the lake after batch 3: in ${ingestionUrl} it is missing now`,
  });
  // Not even where the newest can't be read.
  await Deno.writeTextFile(`${processedUrl}/_batches/000000003.json`, "{");
  await assert.rejects(rebuildProcessed(platform.context), {
    name: "StageError",
    message:
      `Cannot rebuild ${processedUrl}: the rebuilt generation has batch 2, the active one has 3`,
  });

  assert.equal(await generation(platform), "");
});

Deno.test("rebuildProcessed() activates nothing more than 12 hours after it began", async () => {
  await using platform = await openPlatform();
  await extractThree(platform);
  await platform.transform();
  const { context } = platform;
  let calls = 0;
  const start = Date.now();
  // Read at its start and four times for each batch, it jumps after the last.
  const clock = () => new Date(start + (++calls > 13 ? HOURS_13_MS : 0));

  await assert.rejects(rebuildProcessed({ ...context, clock }), {
    name: "StageError",
    message: /^Cannot rebuild .*: this run began over 12 hours ago$/,
  });

  assert.equal(await generation(platform), "");
});

async function extractThree(platform: Platform): Promise<void> {
  const { client } = platform.source;
  await fillSmall(client);
  await platform.extract();
  await execute(
    client,
    "update department set location = 'Hull' where department_id = 1",
    "delete from payment where payment_id = 5",
    "update payment set payment_date = 'never' where payment_id = 1",
  );
  await platform.extract();
  await platform.extract();
}

/** A context in which something happens while a batch is being made. */
function meanwhile(
  { context }: Platform,
  happen: () => Promise<unknown>,
): StageContext {
  let happened = false;
  return {
    ...context,
    resources: {
      ...context.resources,
      openDuckDb: async (config, options) => {
        const duckdb = await context.resources.openDuckDb(config, options);
        return {
          ...duckdb,
          run: async (sql) => {
            if (!happened && sql.includes("arrived.")) {
              happened = true;
              await happen();
            }
            await duckdb.run(sql);
          },
        };
      },
    },
  };
}

async function manifests(
  platform: Platform,
  last = 3,
): Promise<ProcessedManifest[]> {
  return await Promise.all(
    Array.from(
      { length: last },
      (_, index) => processedManifest(platform, index + 1),
    ),
  );
}

async function generation({ context }: Platform): Promise<string> {
  return (await readGeneration(openStageZone(context, "processed"))).id;
}

async function lakeAbout(platform: Platform) {
  await using lake = await openLake(platform);
  const [about] = await lake.rows("from totes.lake.about");
  const files = await lake.rows("select key from totes.lake.files");
  return {
    batch: about?.batch,
    generation: about?.generation,
    files: files.map((file) => file.key ?? ""),
  };
}
