import assert from "node:assert/strict";
import { checkClock } from "../../extract/check_clock.ts";
import { StageError } from "../../lib/errors.ts";
import { openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

const NOW = Date.parse("2026-05-04T03:02:01Z");
const MINUTE_MS = 60_000;

/** Checks with clocks that are so many minutes off. */
async function check(
  platform: Platform,
  off: { source?: number; machine?: number; store?: number; batch?: number },
): Promise<{ asked: number; logged: string[] }> {
  const at = (minutes = 0) => new Date(NOW + minutes * MINUTE_MS);
  let asked = 0;
  platform.logged.splice(0);
  await checkClock({ clockTime: at(off.source).toISOString() }, {
    context: { ...platform.context, clock: () => at(off.machine) },
    zone: {
      now: () => {
        asked++;
        return Promise.resolve(at(off.store));
      },
    },
    previous: off.batch === undefined
      ? undefined
      : { batch: 7, snapshotTime: at(off.batch).toISOString() },
  });
  return { asked, logged: platform.logged };
}

Deno.test("checkClock() refuses a source whose clock two other clocks contradict", async () => {
  await using platform = await openPlatform();

  for (const minutes of [2880, -2880, 6, -6]) {
    await assert.rejects(check(platform, { source: minutes }), (error) => {
      assert(error instanceof StageError);
      assert.match(
        error.message,
        /^Cannot trust the source's clock: it shows 2026-.*Z, this machine's 2026-05-04T03:02:01Z, the store's 2026-05-04T03:02:01Z$/,
      );
      assert.equal(error.subject, "source");
      assert.equal(error.retryable, true);
      assert.match(error.hint ?? "", /NTP.*SOURCE_CLOCK_SKEW_MINUTES_MAX/);
      return true;
    });
  }
  platform.set({ sourceClockSkewMinutesMax: 0 });
  await check(platform, { source: 2880 });
});

Deno.test("checkClock() asks the store only when two clocks differ, and names the wrong one", async () => {
  await using platform = await openPlatform();

  assert.deepEqual(await check(platform, { source: 4, batch: 0 }), {
    asked: 0,
    logged: [],
  });
  assert.deepEqual(await check(platform, { machine: -60 }), {
    asked: 1,
    logged: [
      "warning: this machine's clock is wrong: it shows 2026-05-04T02:02:01Z, " +
      "the source's 2026-05-04T03:02:01Z, the store's 2026-05-04T03:02:01Z. Set it by NTP",
    ],
  });
  const ahead = await check(platform, { batch: 2880 });
  assert.match(
    ahead.logged.join(),
    /^warning: batch 7 is stamped 2026-05-06T.*, 2880 minutes ahead of the source's clock: .* Wait, or start a new lake/,
  );
});

Deno.test("extract() compares the clocks, and reports a lake that is ahead of them", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  const right = platform.context.clock;
  const ahead = () => new Date(Date.now() + 2880 * MINUTE_MS);

  platform.context.clock = ahead;
  await platform.extract();
  platform.context.clock = right;

  assert.match(platform.logged.join(), /this machine's clock is wrong/);
});
