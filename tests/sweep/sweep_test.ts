import assert from "node:assert/strict";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { sweep } from "../../sweep/sweep.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { openDuckDbEngine } from "../harness/duckdb_engine.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { runSmallHistory } from "../harness/damage.ts";
import { processedManifest } from "../harness/manifests.ts";
import {
  execute,
  openPlatform,
  type Platform,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { assertRebuilds } from "../harness/rebuild.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { StoreClock } from "../harness/store_clock.ts";
import { Task, taskEnv } from "../harness/task.ts";
import { leaveUploadOpen } from "../simulator/leave_upload_open.ts";
import {
  keysOf,
  listedInIngestion,
  OLD_HOURS,
  open,
  put,
  untilMore,
} from "./swept_zone.ts";

/** It takes an extract a second or so. */
const LARGE_ROWS = 200_000;

for (const zones of ZONE_KINDS) {
  Deno.test(`sweep removes what killed and overtaken runs left, and nothing else, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { context, config } = platform;
    const clock = new StoreClock(platform);
    await runSmallHistory(platform);
    await leaveHalfARun(platform);
    await execute(platform.source.client, insertOrder(20));
    await Promise.all([platform.extract(), platform.extract()]);
    await platform.transform();
    await platform.load();
    await put(config.ingestionUrl, "notes/of_a_person.txt", platform);
    if (config.s3 !== undefined) {
      const url = `${config.ingestionUrl}/payment/batch=000000009/dead.csv`;
      const part = new Uint8Array(10);
      await leaveUploadOpen(url, { s3: config.s3, part });
    }
    const before = await keysOf(config.ingestionUrl, platform);
    const uploads = await unfinishedOf(config.ingestionUrl, platform);
    const listed = await listedInIngestion(platform, 5);
    const garbage = before.filter((key) =>
      !listed.has(key) && !/^(_batches|notes)\//.test(key)
    );

    const young = await sweep(context, { zone: "ingestion" });
    await clock.leap(OLD_HOURS);
    const dry = await sweep(context, { zone: "ingestion", dryRun: true });
    const untouched = await keysOf(config.ingestionUrl, platform);
    const swept = await sweep(context, { zone: "ingestion" });
    const inLake = await keysOf(config.processedUrl, platform);
    await sweep(context, { zone: "processed" });
    const keptInLake = await keysOf(config.processedUrl, platform);
    const stillNeeded = await listedInProcessed(platform, 5);

    assert.equal(young.filesRemoved, 0);
    assert.deepEqual(untouched, before);
    assert.ok(garbage.length >= 2, garbage.join());
    assert.deepEqual(dry, swept);
    assert.equal(swept.filesRemoved, garbage.length);
    assert.ok(swept.bytesRemoved > 0);
    assert.equal(swept.foreignFiles, 1);
    assert.equal(swept.unfinishedRemoved, uploads.length);
    assert.deepEqual(await unfinishedOf(config.ingestionUrl, platform), []);
    assert.deepEqual(
      await keysOf(config.ingestionUrl, platform),
      before.filter((key) => !garbage.includes(key)),
    );
    assert.deepEqual(
      keptInLake,
      inLake.filter((key) =>
        !key.startsWith("_state/") || stillNeeded.has(key)
      ),
    );
    assert.ok(keptInLake.length < inLake.length);
    assert.match(platform.logged.join("\n"), /"notes\/of_a_person.txt"/);
    await platform.run();
    await assertRebuilds(platform);
  });

  Deno.test(`sweep leaves a replaced generation 48 hours, and then removes it, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { context, config } = platform;
    const { processedUrl } = config;
    const clock = new StoreClock(platform);
    await runSmallHistory(platform);
    const first = await listedInProcessed(platform, 4);
    await clock.leap(OLD_HOURS);
    await rebuildProcessed(context);
    const second = await listedInProcessed(platform, 4);
    await leaveHalfARebuild(platform);

    const all = await keysOf(processedUrl, platform);
    await sweep(context, { zone: "processed" });
    const young = await keysOf(processedUrl, platform);
    await clock.leap(OLD_HOURS);
    await platform.run();
    const before = await keysOf(processedUrl, platform);
    const old = await sweep(context, { zone: "processed" });

    const left = await keysOf(processedUrl, platform);
    // Of what was replaced, older states were needed by nobody before.
    const gone = all.filter((key) => !young.includes(key));
    assert.ok(gone.every((key) => key.startsWith("_state/")), gone.join());
    assert.ok([...first, ...second].every((key) => young.includes(key)));
    assert.equal(left.filter((key) => first.has(key)).length, 0);
    assert.equal(left.filter((key) => second.has(key)).length, second.size);
    assert.equal(old.filesRemoved, before.length - left.length);
    assert.equal(left.filter((key) => key.startsWith("_batches/")).length, 5);
    const logs = new Set(left.map((key) => key.split("/")[0] ?? ""));
    const generations = [...logs].filter((name) => /^_batches-/.test(name));
    assert.equal(generations.length, 1);
    assert.equal(old.foreignFiles, 0);
    await platform.run();
    await assertRebuilds(platform);
  });

  Deno.test(`sweep removes what an engine's killed run left, and not what it has committed, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { context, config } = platform;
    const { processedUrl } = config;
    const clock = new StoreClock(platform);
    await fillSmall(platform.source.client);
    await platform.extract();
    const left = await leaveHalfAnEngine(platform);
    context.openEngine = (zone) => openDuckDbEngine({ config, zone });
    await platform.transform();
    const listed = await listedInProcessed(platform, 1);

    await sweep(context, { zone: "processed" });
    const young = await keysOf(processedUrl, platform);
    await clock.leap(OLD_HOURS);
    const swept = await sweep(context, { zone: "processed" });

    const kept = new Set(await keysOf(processedUrl, platform));
    const removed = young.filter((key) => !kept.has(key));
    const [killedRun = ""] = /\d{8}T\d{6}Z-[0-9a-f]{8}/.exec(left.join()) ?? [];
    assert.ok(left.some((key) => key.startsWith("_state/")), left.join());
    assert.ok(left.some((key) => !key.startsWith("_state/")), left.join());
    assert.ok(left.every((key) => removed.includes(key)));
    assert.ok(removed.every((key) => key.includes(killedRun)), killedRun);
    assert.equal(swept.filesRemoved, removed.length);
    assert.equal(swept.foreignFiles, 0);
    assert.ok([...listed].some((key) => key.includes("-engine/")));
    assert.ok([...listed].every((key) => kept.has(key)));
    await platform.load();
    assert.ok((await verify(context)).same);
  });
}

/** Kills an extract that has shipped some tables and is at a large one. */
async function leaveHalfARun(platform: Platform): Promise<void> {
  const { client } = platform.source;
  await execute(
    client,
    `insert into payment select id, now(), now(), 1, 1, 1, 1, 1, false,
      '2023-01-01', 1, 1 from generate_series(1001, ${LARGE_ROWS}) as id`,
  );
  const before = await keysOf(platform.config.ingestionUrl, platform);
  await using task = new Task(["extract", "--full"], taskEnv(platform));
  await untilMore(before.length, platform);
  Deno.kill(-task.pid, "SIGKILL");
  await task.ended();
  await execute(client, "delete from payment where payment_id > 1000");
}

/**
 * Ends a transform as a kill does, once its engine has written a model's rows:
 * nothing is removed any more. Gives the files that it has left.
 */
async function leaveHalfAnEngine(platform: Platform): Promise<string[]> {
  const { context, config } = platform;
  let isKilled = false;
  const dying = {
    ...context,
    resources: changedZones(context.resources, (zone) => ({
      remove: async (key) => {
        if (isKilled) throw new Error("killed");
        await zone.remove(key);
      },
    })),
    openEngine: (zone: Zone) =>
      openDuckDbEngine({ config, zone }, {
        says: () => {
          isKilled = true;
          throw new Error("killed");
        },
      }),
  };
  await assert.rejects(transform(dying), { message: "killed" });
  return (await keysOf(config.processedUrl, platform))
    .filter((key) => key.includes("-engine/"));
}

/** Stops a rebuild that has made two batches. */
async function leaveHalfARebuild(platform: Platform): Promise<void> {
  const { context } = platform;
  const stopping = new AbortController();
  let commits = 0;
  const clock = () => {
    if (++commits > 8) stopping.abort(new DOMException("stop", "AbortError"));
    return new Date();
  };
  await assert.rejects(
    rebuildProcessed({ ...context, signal: stopping.signal, clock }),
    { name: "AbortError" },
  );
}

async function unfinishedOf(url: string, platform: Platform) {
  const zone = open(url, platform);
  const files = await Array.fromAsync(zone.unfinished());
  zone.close();
  return files.map(({ name }) => name);
}

/** What the batches brought, and what the last one needs. */
async function listedInProcessed(platform: Platform, last: number) {
  const listed = new Set<string>();
  for (let batch = 1; batch <= last; batch++) {
    const { models, state }: ProcessedManifest = await processedManifest(
      platform,
      batch,
    );
    for (const { files } of Object.values(models)) {
      for (const { key } of files) listed.add(key);
    }
    if (batch < last) continue;
    for (const { key } of Object.values(state)) listed.add(key);
  }
  return listed;
}
