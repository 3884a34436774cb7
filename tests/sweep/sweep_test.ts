import assert from "node:assert/strict";
import { BatchLog, dataKey } from "../../lib/batches/batch_log.ts";
import {
  type LiveList,
  nextLiveFiles,
  ownFiles,
} from "../../lib/batches/live_files.ts";
import type {
  IngestionManifest,
  LiveFile,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { openZone, type Zone } from "../../lib/zone/zone.ts";
import { main } from "../../sweep/main.ts";
import { sweep } from "../../sweep/sweep.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { openDuckDbEngine } from "../harness/duckdb_engine.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { runSmallHistory } from "../harness/damage.ts";
import {
  emptyManifest,
  ingestionManifest,
  processedManifest,
} from "../harness/manifests.ts";
import {
  execute,
  openPlatform,
  type Platform,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { assertRebuilds } from "../harness/rebuild.ts";
import { fillSmall, insertOrder } from "../harness/small_source.ts";
import { StoreClock } from "../harness/store_clock.ts";
import { Task, taskEnv } from "../harness/task.ts";
import { leaveUploadOpen } from "../simulator/leave_upload_open.ts";

const OLD_HOURS = 49;
const WAIT_TRIES_MAX = 400;
const WAIT_MS = 25;
/** It takes an extract a second or so. */
const LARGE_ROWS = 200_000;
const GARBAGE_RUN = "20200101T000000Z-0123abcd";

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

Deno.test("sweep lets a run at work end, and what it took from one too old is never committed", async () => {
  await using platform = await openPlatform();
  const { context, config, source } = platform;
  // Days pass for this machine and the store, and the source stays behind.
  platform.set({ sourceClockSkewMinutesMax: 0 });
  const clock = new StoreClock(platform);
  await fillSmall(source.client);

  await platform.run();
  const change = [
    "update payment set paid = not paid",
    "update staff set first_name = first_name || 'x'",
  ];

  await execute(source.client, ...change);
  const running = await startHalf(platform);
  await clock.leap(11);
  const none = await sweep(context, { zone: "ingestion" });
  running.goOn();
  assert.equal(none.filesRemoved, 0);
  assert.deepEqual((await running.ended).batches, [2]);

  await execute(source.client, ...change);
  const slow = await startHalf(platform);
  await clock.leap(OLD_HOURS);
  const later = Date.now() + OLD_HOURS * 3_600_000;
  context.clock = () => new Date(later);
  const some = await sweep(context, { zone: "ingestion" });
  slow.goOn();
  await assert.rejects(slow.ended, /began over 12 hours ago/);
  assert.ok(some.filesRemoved > 0);
  const keys = await keysOf(config.ingestionUrl, platform);
  const listed = await listedInIngestion(platform, 2);
  assert.ok([...listed].every((key) => keys.includes(key)));
  await platform.run();
  await assertRebuilds(platform);
});

Deno.test("sweep asks no clock but the store's", async () => {
  await using platform = await openPlatform();
  const { context, config } = platform;
  const clock = new StoreClock(platform);
  await runSmallHistory(platform);
  const key = `payment/batch=000000009/${GARBAGE_RUN}-1.csv`;
  await put(config.ingestionUrl, key, platform);

  context.clock = () => new Date("2100-01-01");
  const early = await sweep(context, { zone: "ingestion" });
  context.clock = () => new Date("1970-01-01");
  await clock.leap(OLD_HOURS);
  const late = await sweep(context, { zone: "ingestion" });

  assert.deepEqual([early.filesRemoved, late.filesRemoved], [0, 1]);
  assert.ok(!(await keysOf(config.ingestionUrl, platform)).includes(key));
});

Deno.test("sweep leaves what was merged for 48 hours, and what the newest batch lists for ever", async () => {
  await using platform = await openPlatform();
  const { context, config } = platform;
  const clock = new StoreClock(platform);
  const zone = open(config.processedUrl, platform);
  const lake = new SmallLake(zone);
  const kept = async () => {
    const found = await keysOf(config.processedUrl, platform);
    return found.filter((key) => !key.startsWith("_batches/")).sort();
  };
  for (let batch = 1; batch < 100; batch++) await lake.add();
  await clock.leap(OLD_HOURS);
  // A batch that merges 60 files, which the newest one listed until now.
  await lake.add(60);
  const before = await kept();

  const young = await sweep(context, { zone: "processed" });
  for (let batch = 101; batch <= 110; batch++) await lake.add();
  await clock.leap(OLD_HOURS);
  const old = await sweep(context, { zone: "processed" });

  assert.equal(young.filesRemoved, 0);
  assert.equal(before.filter((key) => key.startsWith("_live/")).length, 2);
  // The files, and the checkpoint that listed them.
  assert.equal(old.filesRemoved, 61);
  const { list } = lake;
  assert.deepEqual(
    await kept(),
    [...list.files, list.checkpoint].map((file) => file?.key ?? "").sort(),
  );
  zone.close();
});

Deno.test("sweep goes on where the list of an older batch is gone, and not where the newest's is", async () => {
  await using platform = await openPlatform();
  const { context, config } = platform;
  const zone = open(config.processedUrl, platform);
  const lake = new SmallLake(zone);
  // As after a copy of the zone, where all is young, or a second rebuild.
  for (let batch = 1; batch <= 150; batch++) await lake.add();
  const lists = (await keysOf(config.processedUrl, platform))
    .filter((key) => key.startsWith("_live/")).sort();
  await zone.remove(lists[0] ?? "");

  const { filesRemoved } = await sweep(context, { zone: "processed" });

  assert.equal(lists.length, 2);
  assert.equal(filesRemoved, 0);
  await zone.remove(lists[1] ?? "");
  await assert.rejects(
    sweep(context, { zone: "processed" }),
    /^StageError: Cannot read the list of live files .* it is missing$/,
  );
  zone.close();
});

Deno.test("sweep removes nothing where the log has a gap, or no batch", async () => {
  await using platform = await openPlatform();
  const { context, config } = platform;
  const { ingestionUrl } = config;
  const clock = new StoreClock(platform);
  await put(
    ingestionUrl,
    `payment/batch=000000001/${GARBAGE_RUN}-1.csv`,
    platform,
  );
  await clock.leap(OLD_HOURS);
  const empty = await sweep(context, { zone: "ingestion" });
  await runSmallHistory(platform);
  const zone = open(ingestionUrl, platform);
  await zone.remove("_batches/000000002.json");
  await zone.remove("_batches/latest");
  await clock.leap(OLD_HOURS);
  const before = await keysOf(ingestionUrl, platform);

  await assert.rejects(sweep(context, { zone: "ingestion" }), {
    name: "StageError",
    subject: ingestionUrl,
    message: /^Cannot sweep .* has 3 manifests, and batch 4$/,
  });

  assert.equal(empty.filesRemoved, 0);
  assert.deepEqual(await keysOf(ingestionUrl, platform), before);
});

Deno.test("sweep refuses what is no zone", async () => {
  let said = "";
  const code = await main(["warehouse"], {
    env: () => undefined,
    write: (text) => said += text,
    isTerminal: false,
    onStop: () => () => {},
  });

  assert.equal(code, 2);
  assert.match(said, /Cannot sweep \\"warehouse\\"/);
});

/** A lake of one model, whose files hold nothing. */
class SmallLake {
  list: LiveList = { checkpoint: undefined, base: [], files: [] };
  #batch = 0;

  constructor(private readonly zone: Zone) {}

  /** Adds a batch with a file, and merges so many of those before. */
  async add(merged = 0): Promise<void> {
    const batch = ++this.#batch;
    const log = new BatchLog<ProcessedManifest>(this.zone, "transform");
    const runId = `20260101T000000Z-${String(batch).padStart(8, "0")}`;
    const file = async (part: string, rows: number) => {
      const key = dataKey("dim_one", { batch, runId, part });
      await this.zone.put(key, new Uint8Array(3));
      return { key, bytes: 3, rows, sha256: "" };
    };
    const { files } = this.list;
    const large: LiveFile[] = merged === 0 ? [] : [{
      ...await file("merged.parquet", merged),
      model: "dim_one",
      from: 1,
      to: merged,
      level: 1,
    }];
    const models = {
      dim_one: { files: [await file("1.parquet", 1)], deletes: 0 },
    };
    const { live, list } = await nextLiveFiles(this.zone, {
      batch,
      before: this.list,
      merged: [...large, ...files.slice(merged)],
      own: ownFiles({ batch, models }),
      runId,
    });
    await log.commit({ ...emptyManifest(batch, runId), models, live });
    this.list = list;
  }
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

/** Starts an extract; when this resolves it has shipped all tables but one. */
async function startHalf(platform: Platform) {
  const { context } = platform;
  const { resources } = context;
  const before = await keysOf(platform.config.ingestionUrl, platform);
  const gate = Promise.withResolvers<void>();
  context.resources = changedZones(resources, (zone) => ({
    write: async (key, ...rest) => {
      if (key.startsWith("staff/")) await gate.promise;
      return await zone.write(key, ...rest);
    },
  }));
  const ended = platform.extract();
  ended.catch(() => {});
  context.resources = resources;
  await untilMore(before.length, platform);
  return { ended, goOn: gate.resolve };
}

async function untilMore(files: number, platform: Platform): Promise<void> {
  for (let tries = 0; tries < WAIT_TRIES_MAX; tries++) {
    const keys = await keysOf(platform.config.ingestionUrl, platform);
    if (keys.length > files) return;
    await new Promise((wake) => setTimeout(wake, WAIT_MS));
  }
  throw new Error("nothing was shipped");
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

function open(url: string, { config }: Platform): Zone {
  return openZone(url, { s3: config.s3 });
}

async function put(url: string, key: string, platform: Platform) {
  const zone = open(url, platform);
  await zone.put(key, new Uint8Array(3));
  zone.close();
}

async function keysOf(url: string, platform: Platform): Promise<string[]> {
  const zone = open(url, platform);
  const files = await Array.fromAsync(zone.list(""));
  zone.close();
  return files.map(({ key }) => key);
}

async function unfinishedOf(url: string, platform: Platform) {
  const zone = open(url, platform);
  const files = await Array.fromAsync(zone.unfinished());
  zone.close();
  return files.map(({ name }) => name);
}

async function listedInIngestion(platform: Platform, last: number) {
  const listed = new Set<string>();
  for (let batch = 1; batch <= last; batch++) {
    const { tables }: IngestionManifest = await ingestionManifest(
      platform,
      batch,
    );
    for (const { rows, deletes, digest } of Object.values(tables)) {
      for (const { key } of [...rows, ...deletes, ...digest.files]) {
        listed.add(key);
      }
    }
  }
  return listed;
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
