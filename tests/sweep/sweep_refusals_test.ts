import assert from "node:assert/strict";
import { main } from "../../sweep/main.ts";
import { sweep } from "../../sweep/sweep.ts";
import { runSmallHistory } from "../harness/damage.ts";
import { openPlatform } from "../harness/platform.ts";
import { StoreClock } from "../harness/store_clock.ts";
import {
  GARBAGE_RUN,
  keysOf,
  OLD_HOURS,
  open,
  put,
  SmallLake,
} from "./swept_zone.ts";
import { testIo } from "../harness/process_io.ts";

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
  const io = testIo({});
  const code = await main(["warehouse"], io);

  assert.equal(code, 2);
  assert.match(io.said, /Cannot sweep \\"warehouse\\"/);
});
