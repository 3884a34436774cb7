import assert from "node:assert/strict";
import { Random } from "../../demo/random.ts";
import { messageOf } from "../../lib/errors.ts";
import { History } from "../harness/oracle.ts";
import { openPlatform, type ZoneKind } from "../harness/platform.ts";
import { assertRebuilds } from "../harness/rebuild.ts";
import { RandomWriters } from "../harness/random_writers.ts";
import { fillSmall } from "../harness/small_source.ts";

const BATCHES: Record<ZoneKind, number> = { directory: 15, S3: 8 };
const WRITES_BETWEEN_BATCHES_MAX = 30;

/** Set `TEST_SEED` to repeat a history that failed. */
function newSeed(): number {
  const given = Deno.env.get("TEST_SEED");
  return given === undefined
    ? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
    : Number(given);
}

for (const [zones, batches] of Object.entries(BATCHES)) {
  Deno.test(`the pipeline keeps any history exactly, on ${zones}`, async () => {
    const seed = newSeed();
    const random = new Random(seed);
    await using platform = await openPlatform({ zones: zones as ZoneKind });
    const history = new History(platform);
    await fillSmall(platform.source.client);
    platform.set({ deleteShareMax: 1 });
    await using writers = await RandomWriters.open(platform.source.url, random);
    try {
      await history.step();
      for (let batch = 2; batch < batches; batch++) {
        const writes = random.between(0, WRITES_BETWEEN_BATCHES_MAX);
        for (let write = 0; write < writes; write++) await writers.write();
        await history.extract();
        // The later stages look when they like, and catch up.
        if (random.fraction() < 0.6) await platform.transform();
        if (random.fraction() < 0.4) await platform.load();
      }
      await writers.settle();
      await history.step();

      await history.compareAll();
      await assertRebuilds(platform);
    } catch (error) {
      throw new Error(
        `TEST_SEED=${seed}: ${messageOf(error)}\n${writers.story.join("\n")}`,
        { cause: error },
      );
    }
    assert.ok(writers.story.length > 0);
  });
}
