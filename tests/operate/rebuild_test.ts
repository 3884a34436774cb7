import assert from "node:assert/strict";
import { Random } from "../../demo/random.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { messageOf } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { processedManifest } from "../harness/manifests.ts";
import { assertSame, History } from "../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { RandomWriters } from "../harness/companies/random_writers.ts";
import { readPublished } from "../harness/readers/read_published.ts";
import {
  assertFreshlyLoaded,
  checksums,
  tableTexts,
} from "../harness/rebuild.ts";
import { newSeed } from "../harness/seed.ts";
import { fillSmall } from "../harness/companies/small_source.ts";
import { stopAtEveryMoment } from "../harness/stop_at_every_moment.ts";

const BATCHES = 9;
const WRITES_BETWEEN_BATCHES = 20;

/** Set `TEST_SEED` to repeat a history that failed. */

for (const zones of ZONE_KINDS) {
  Deno.test(`rebuild recreates the processed zone and the warehouse after any history, on ${zones}`, async () => {
    const seed = newSeed();
    const random = new Random(seed);
    await using platform = await openPlatform({ zones });
    const { source, context } = platform;
    const history = new History(platform);
    platform.set({ deleteShareMax: 1 });
    await fillSmall(source.client);
    await using writers = await RandomWriters.open(source.url, random);
    const write = async () => {
      for (let done = 0; done < WRITES_BETWEEN_BATCHES; done++) {
        await writers.write();
      }
    };
    try {
      await history.step();
      for (let batch = 2; batch <= BATCHES; batch++) {
        await write();
        await history.extract({ ...(batch === 5 ? { fullRead: true } : {}) });
        await platform.transform();
        if (batch % 2 === 0) await platform.load();
      }
      const before = await manifests(platform, BATCHES);

      const reads = await readLakeWhile(
        history,
        () => rebuildProcessed(context),
      );

      assert.ok(reads > 0);
      const rebuilt = await manifests(platform, BATCHES);
      assert.deepEqual(rebuilt.map(checksums), before.map(checksums));
      assert.equal(runsInCommon(before, rebuilt), 0);
      await platform.load();
      await history.compareAll();

      // Everything goes on in the new generation.
      await write();
      await history.step();
      await damageAnything(platform);
      const damaged = await everyText(platform.warehouse);
      const seen = await readWhile(
        platform,
        () => rebuildWarehouse(context),
      );

      await assertFreshlyLoaded(platform);
      const repaired = await everyText(platform.warehouse);
      assert.ok(seen.size > 0);
      for (const state of seen) {
        assert.ok(
          state === damaged || state === repaired,
          "a reader saw neither what was nor what is",
        );
      }
      await history.compareAll();
      await write();
      await rebuildProcessed(context);
      await history.step();
      await history.compareAll();
    } catch (error) {
      throw new Error(
        `TEST_SEED=${seed}: ${messageOf(error)}\n${writers.story.join("\n")}`,
        { cause: error },
      );
    }
  });
}

Deno.test("rebuildProcessed() changes nothing when it is stopped at any moment", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  await execute(client, "delete from payment where payment_id = 5");
  await platform.run();
  const before = await manifests(platform, 2);

  const stops = await stopAtEveryMoment(platform, {
    run: () => rebuildProcessed(platform.context),
    afterStop: async () =>
      assert.deepEqual(await manifests(platform, 2), before),
  });

  assert.ok(stops >= 10, `stopped ${stops} times`);
  const after = await manifests(platform, 2);
  assert.deepEqual(after.map(checksums), before.map(checksums));
  assert.equal(runsInCommon(before, after), 0);
  await platform.run();
  const { repaired } = await rebuildWarehouse(platform.context);
  assert.deepEqual(new Set(Object.values(repaired)), new Set([0]));
});

async function manifests(
  platform: Platform,
  last: number,
): Promise<ProcessedManifest[]> {
  return await Promise.all(
    Array.from(
      { length: last },
      (_, index) => processedManifest(platform, index + 1),
    ),
  );
}

function runsInCommon(
  one: readonly ProcessedManifest[],
  other: readonly ProcessedManifest[],
): number {
  const runs = new Set(one.map((manifest) => manifest.runId));
  return other.filter((manifest) => runs.has(manifest.runId)).length;
}

/** Takes out and changes rows of every table of a warehouse. */
async function damageAnything({ warehouse }: Platform): Promise<void> {
  const { client } = warehouse;
  const tables = [...(await tableTexts(warehouse)).keys()];
  for (const name of tables.filter((table) => !table.startsWith("dim_"))) {
    await execute(client, `delete from ${name} where from_batch % 3 = 0`);
  }
  for (const name of tables.filter((table) => table.endsWith("_closed"))) {
    await execute(
      client,
      `delete from ${name} where from_batch % 2 = 0`,
      `update ${name} set valid_to = now()`,
    );
  }
  await execute(
    client,
    "update fact_sales_order set units_sold = -1 where from_batch % 2 = 1",
    "update dim_staff set last_name = null, to_batch = null",
    "update dim_date set is_placeholder = not is_placeholder",
    "insert into dim_design (design_id) values (777)",
    "delete from pipeline.batch where batch in (1, 4, 10)",
    "update pipeline.batch set transform_hash = '' where batch = 2",
  );
}

/** Counts reads of the lake meanwhile: each sees its batch, and no mix. */
async function readLakeWhile(
  history: History,
  work: () => Promise<unknown>,
): Promise<number> {
  let reads = 0;
  let done = false;
  const reading = (async () => {
    // One at least, when all is done.
    for (let last = false; !last;) {
      last = done;
      const held = await readPublished(history.platform);
      if (held === undefined) continue;
      const { batch, state } = held;
      assertSame(
        state,
        history.stateOf(batch),
        `a reader of the lake, ${batch}`,
      );
      reads += 1;
    }
  })();
  // A failure of the reader is thrown below, and ends nothing before.
  reading.catch(() => {});
  try {
    await work();
  } finally {
    done = true;
    await reading;
  }
  return reads;
}

/** What a reader sees of all tables, in transactions of its own, meanwhile. */
async function readWhile(
  { warehouse }: Platform,
  work: () => Promise<unknown>,
): Promise<Set<string>> {
  const seen = new Set<string>();
  const client = await openClient(warehouse.url);
  let done = false;
  const reading = (async () => {
    while (!done) {
      await client.query("begin isolation level repeatable read read only");
      seen.add(await everyText({ client }));
      await client.query("commit");
    }
  })();
  try {
    await work();
  } finally {
    done = true;
    await reading.finally(() => client.end());
  }
  return seen;
}

async function everyText(
  database: Parameters<typeof tableTexts>[0],
): Promise<string> {
  const ledger = await query(
    database.client,
    "select batch::text as batch from pipeline.batch order by batch",
  );
  const tables = [...await tableTexts(database)].sort();
  return JSON.stringify([ledger, tables]);
}
