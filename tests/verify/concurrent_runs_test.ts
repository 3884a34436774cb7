import assert from "node:assert/strict";
import { fillSource } from "../../demo/fill.ts";
import { Random } from "../../demo/random.ts";
import { runTraffic } from "../../demo/traffic.ts";
import { extract } from "../../extract/extract.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { runOnce } from "../../operate/run_stages.ts";
import { verify } from "../../verify/verify.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { RandomWriters } from "../harness/companies/random_writers.ts";
import { differences } from "../harness/repair.ts";
import { newSeed } from "../harness/seed.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { leftBehind } from "./left_behind.ts";

const LIVE_VERIFICATIONS = 4;
const WRITES_BETWEEN = 30;
const WAIT_MS = 50;
const WAITS_MAX = 600;

Deno.test("verify() does not mind what is written while it reads", async () => {
  await using platform = await openPlatform({ sourceSql: "" });
  await fillSource(platform.source.client, { seed: 1, salesOrders: 300 });
  // On a slow machine much is deleted between two verifications.
  platform.set({ deleteShareMax: 1 });
  const ending = new AbortController();
  let events = 0;
  const traffic = runTraffic({
    url: platform.source.url,
    seed: 1,
    signal: ending.signal,
    transactionsPerSecond: 200,
    longSeconds: { least: 1, most: 2 },
    onEvent: () => events++,
  });
  const found: string[][] = [];
  try {
    for (let times = 0; times < LIVE_VERIFICATIONS; times++) {
      const before = events;
      found.push(differences(await verify(platform.context)));
      assert.ok(events > before);
    }
  } finally {
    ending.abort();
    await traffic;
  }

  assert.deepEqual(found, Array(LIVE_VERIFICATIONS).fill([]));
});

/** Set `TEST_SEED` to repeat writes that failed. */
Deno.test("verify() does not mind any writer", async () => {
  const seed = newSeed();
  const random = new Random(seed);
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  platform.set({ deleteShareMax: 1 });
  await using writers = await RandomWriters.open(platform.source.url, random);
  for (let times = 0; times < LIVE_VERIFICATIONS; times++) {
    for (let write = 0; write < WRITES_BETWEEN; write++) await writers.write();
    let writing = true;
    const writes = (async () => {
      while (writing) await writers.write();
    })();
    const verifying = verify(platform.context)
      .finally(() => writing = false);

    assert.deepEqual(
      differences(await verifying),
      [],
      `TEST_SEED=${seed}: ${writers.story.join("\n")}`,
    );
    await writes;
  }
});

Deno.test("verify() goes on when others run the stages at the same time", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context, logged } = platform;
  await fillSmall(source.client);
  await platform.run();
  await execute(source.client, insertOrder(9));
  let overtaking = true;
  context.resources = changedZones(RESOURCES, (zone) => ({
    create: async (key, content) => {
      if (overtaking && zone.url === context.config.ingestionUrl) {
        overtaking = false;
        await extract({ ...context, resources: RESOURCES });
      }
      return await zone.create(key, content);
    },
  }));
  const other = await openClient(warehouse.url);
  await other.query("select pg_advisory_lock(7235419846134)");

  const verifying = verify(context);
  for (let wait = 0; wait < WAITS_MAX; wait++) {
    if (logged.some((line) => line.includes("another load"))) break;
    await new Promise((wake) => setTimeout(wake, WAIT_MS));
  }
  await other.end();

  const verification = await verifying;
  assert.equal(verification.batch, 3);
  assert.deepEqual(differences(verification), []);
  assert.ok(
    logged.includes("warning: batch 2 was committed by another run first"),
  );
});

Deno.test("verify() compares its batch, also when the next is loaded", async () => {
  await using platform = await openPlatform();
  const { source, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  let connections = 0;
  context.resources = {
    ...RESOURCES,
    connect: async (settings, options) => {
      // The first looks whether the zones are right, the second compares.
      if (options.purpose === "verify" && ++connections === 2) {
        await execute(
          source.client,
          "update payment set payment_amount = 5 where payment_id = 2",
          "update department set location = 'Moved'",
          "delete from payment where payment_id = 3",
        );
        await runOnce({ ...context, resources: RESOURCES });
      }
      return await RESOURCES.connect(settings, options);
    },
  };

  const verification = await verify(context);

  assert.equal(connections, 2);
  assert.equal(verification.batch, 2);
  assert.deepEqual(differences(verification), []);
});

Deno.test("verify() gives up when others always commit first", async () => {
  await using platform = await openPlatform();
  const { source, context } = platform;
  await fillSmall(source.client);
  context.resources = changedZones(RESOURCES, (zone) => ({
    create: async (key, content) => {
      await extract({ ...context, resources: RESOURCES });
      return await zone.create(key, content);
    },
  }));

  await assert.rejects(verify(context), {
    name: "StageError",
    message: "Cannot verify: other runs committed a batch first 5 times",
    subject: context.config.ingestionUrl,
    retryable: true,
  });
  assert.deepEqual(leftBehind(platform), []);
});
