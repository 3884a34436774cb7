import assert from "node:assert/strict";
import type { StageResult } from "../../lib/stage.ts";
import { resync } from "../../operate/resync.ts";
import { runForever } from "../../operate/run_stages.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { runSmallHistory } from "../harness/damage.ts";
import { doctorManifest } from "../harness/manifests.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { History, openLake } from "../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

const ROUNDS_MAX = 200;
const EVERY_MS = 300;

for (const zones of ZONE_KINDS) {
  Deno.test(`resync repairs the lake and the warehouse during other runs, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    await runSmallHistory(platform);
    // In the lake a delete and a department's move never came in, in the
    // warehouse a row differs and another is gone.
    await doctorManifest(platform, 2, (manifest) => {
      delete manifest.models.dim_staff;
    });
    await doctorManifest(platform, 4, (manifest) => {
      delete manifest.models.dim_design;
    });
    await execute(
      platform.source.client,
      "update payment set payment_date = '2023-01-01' where payment_id = 1",
    );
    await execute(
      platform.warehouse.client,
      "update fact_payment set payment_amount = 0 where payment_id = 2",
      "delete from fact_payment where payment_id = 3",
      "update dim_staff set location = 'nowhere'",
    );
    const stopping = new AbortController();
    const results: StageResult[] = [];
    const running = runForever(
      { ...platform.context, signal: stopping.signal },
      { everyMs: EVERY_MS, onResult: (result) => results.push(result) },
    );
    const writing = writeWhile(platform, stopping.signal);

    await resync(platform.context, {
      tables: ["payment", "design", "department"],
    });

    await someMore(results);
    stopping.abort();
    await Promise.all([running, writing]);
    assert.deepEqual(
      platform.logged.filter((line) => line.startsWith("error: Cannot")),
      [],
    );
    await platform.run();
    await assertMirrored(platform);
    await using lake = await openLake(platform);
    await new History(platform).compareHistories(lake);
  });
}

Deno.test("resync gives up when other runs always commit first", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);
  const { context } = platform;
  let racing = false;
  const overtaken = {
    ...context,
    clock: () => context.clock(),
    resources: changedZones(context.resources, (zone) => ({
      create: async (key, content) => {
        if (!racing && key.startsWith("_batches/")) {
          racing = true;
          await platform.extract();
          racing = false;
        }
        return await zone.create(key, content);
      },
    })),
  };

  await assert.rejects(resync(overtaken, { tables: ["payment_type"] }), {
    name: "StageError",
    message: "Cannot resync: other runs of extract came first 20 times",
    retryable: true,
    hint: /^Let the other runs pause/,
  });
});

/** Somebody goes on writing to the source. */
async function writeWhile(
  { source }: Platform,
  signal: AbortSignal,
): Promise<void> {
  for (let id = 100; id < 100 + ROUNDS_MAX && !signal.aborted; id++) {
    await execute(
      source.client,
      insertOrder(id),
      "update staff set last_name = last_name || '!' where staff_id = 1",
    );
    await new Promise((wake) => setTimeout(wake, EVERY_MS / 2));
  }
}

/** Waits until each stage has run once more. */
async function someMore(results: readonly StageResult[]): Promise<void> {
  const enough = results.length + 3;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    if (results.length >= enough) return;
    await new Promise((wake) => setTimeout(wake, EVERY_MS));
  }
  throw new Error("the run stood still");
}
