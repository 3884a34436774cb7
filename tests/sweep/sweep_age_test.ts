import assert from "node:assert/strict";
import { sweep } from "../../sweep/sweep.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { runSmallHistory } from "../harness/damage.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { assertRebuilds } from "../harness/rebuild.ts";
import { fillSmall } from "../harness/companies/small_source.ts";
import { StoreClock } from "../harness/store_clock.ts";
import {
  GARBAGE_RUN,
  keysOf,
  listedInIngestion,
  OLD_HOURS,
  open,
  put,
  SmallLake,
  untilMore,
} from "./swept_zone.ts";

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
