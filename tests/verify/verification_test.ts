import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { runForever } from "../../operate/run_stages.ts";
import { isVerificationDue } from "../../verify/verification.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

const MS_PER_HOUR = 3_600_000;

/** Runs the pipeline for ever, until it has loaded so often. */
async function runTicks(
  platform: Platform,
  options: { ticks: number; onTick?: (tick: number) => void },
): Promise<void> {
  const { context } = platform;
  const ending = new AbortController();
  let tick = 0;
  await runForever({ ...context, signal: ending.signal }, {
    everyMs: 1,
    onResult: ({ stage }) => {
      if (stage !== "load") return;
      tick++;
      options.onTick?.(tick);
      if (tick >= options.ticks) ending.abort();
    },
  });
}

/** Batches that were verified, in order. */
async function verified(platform: Platform): Promise<(string | null)[]> {
  const rows = await query(
    platform.warehouse.client,
    "select distinct batch from pipeline.verification order by batch",
  );
  return rows.map((row) => String(row.batch));
}

async function loadedHoursAgo(
  platform: Platform,
  hours: number,
): Promise<void> {
  await execute(
    platform.warehouse.client,
    `update pipeline.batch set loaded_at = now() - interval '${hours} hours'`,
  );
}

Deno.test("isVerificationDue() asks the warehouse when the last one was", async () => {
  await using platform = await openPlatform();
  const { source, context } = platform;
  await fillSmall(source.client);
  const dueAfter = (hours: number) =>
    isVerificationDue({
      ...context,
      clock: () => new Date(Date.now() + hours * MS_PER_HOUR),
    });
  assert.equal(await dueAfter(99), false, "nothing is loaded");

  await platform.run();
  assert.equal(await dueAfter(23), false);
  assert.equal(await dueAfter(25), true);

  await loadedHoursAgo(platform, 30);
  assert.equal(await dueAfter(0), true);
  await verify(context);
  assert.equal(await dueAfter(0), false);
  assert.equal(await dueAfter(23), false);
  assert.equal(await dueAfter(25), true);

  platform.set({ verifyEveryHours: 48 });
  assert.equal(await dueAfter(25), false);
  platform.set({ verifyEveryHours: 0 });
  assert.equal(await dueAfter(999), false);
});

Deno.test("runForever() verifies once when it is due, also after a restart", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);

  await runTicks(platform, { ticks: 3 });
  assert.deepEqual(await verified(platform), []);

  await loadedHoursAgo(platform, 25);
  await runTicks(platform, { ticks: 3 });
  await runTicks(platform, { ticks: 2 });

  // The first tick's batch is 4, and the verification makes one of its own.
  assert.deepEqual(await verified(platform), ["5"]);
  assert.ok(
    platform.logged.some((line) => /^info: .* are the same/.test(line)),
  );
});

Deno.test("runForever() goes on after a verification that found something", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  await loadedHoursAgo(platform, 25);
  await execute(
    platform.warehouse.client,
    "delete from fact_payment where payment_id = 4",
  );

  await runTicks(platform, { ticks: 3 });

  assert.deepEqual(await verified(platform), ["3"]);
  assert.deepEqual(
    platform.logged.filter((line) => line.startsWith("error")),
    [
      "error: fact_payment in the warehouse differs from the source: 1 difference, the first: 4 missing",
    ],
  );
});

Deno.test("runForever() goes on after a verification that failed, and tries again later", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  await loadedHoursAgo(platform, 25);
  await execute(
    warehouse.client,
    `create or replace function fact_payment_as_of_batch(batch_number bigint)
      returns setof fact_payment_history language plpgsql
      as 'begin raise ''broken''; end'`,
  );
  let ahead = 0;
  context.clock = () => new Date(Date.now() + ahead);
  const failures = () =>
    platform.logged.filter((line) => line.startsWith("error: Cannot verify"))
      .length;
  const seen: number[] = [];

  await runTicks(platform, {
    ticks: 5,
    onTick: (tick) => {
      seen.push(failures());
      if (tick === 3) ahead = 2 * MS_PER_HOUR;
    },
  });

  // The ticks before one has failed, after it, and once it is tried again.
  assert.deepEqual(seen, [0, 1, 1, 2, 2]);
  assert.deepEqual(await verified(platform), []);
});

Deno.test("pipeline.verification is for analysts to read", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();

  const rights = await query(
    platform.warehouse.client,
    `select has_table_privilege('analyst', 'pipeline.verification', 'select')
        ::text as may_read,
      has_table_privilege('analyst', 'pipeline.verification', 'insert')
        ::text as may_write`,
  );

  assert.deepEqual(rights, [{ may_read: "true", may_write: "false" }]);
});
