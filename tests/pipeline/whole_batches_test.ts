import assert from "node:assert/strict";
import { sourceState } from "../harness/readers/oracle.ts";
import {
  assertSame,
  History,
  warehouseState,
  zoneKeys,
} from "../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { stopAtEveryMoment } from "../harness/stop_at_every_moment.ts";

for (const zones of ZONE_KINDS) {
  Deno.test(`a run that is stopped at any moment changes nothing, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones, warehouse: "empty" });
    const { client } = platform.source;
    const history = new History(platform);
    await fillSmall(client);
    await history.step();
    await execute(
      client,
      insertOrder(8),
      "update department set location = 'Hull'",
      "delete from payment where payment_id = 5",
    );
    const committed = async () => ({
      ingested: await manifests(platform, "ingestionUrl"),
      processed: await manifests(platform, "processedUrl"),
      warehouse: await warehouseState(platform),
    });

    let before = await committed();
    const stops: number[] = [];
    for (const run of [platform.extract, platform.transform, platform.load]) {
      const count = await stopAtEveryMoment(platform, {
        run,
        afterStop: async () => assert.deepEqual(await committed(), before),
      });
      stops.push(count);
      before = await committed();
    }

    assert.ok(stops.every((count) => count >= 2), `stopped ${stops} times`);
    await history.compareNow(
      history.expect(await sourceState(platform)),
    );
    await history.step();
    await history.compareAll();
  });
}

Deno.test("readers see only whole batches during a load", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { client } = platform.source;
  const history = new History(platform);
  await fillSmall(client);
  await history.step();
  let done = false;
  const seen = new Set<number>();
  const reader = await openClient(platform.warehouse.url);
  const reading = (async () => {
    while (!done) {
      await reader.query("begin isolation level repeatable read read only");
      const { rows } = await reader.query(
        "select max(batch)::integer as batch from pipeline.batch",
      );
      const batch: number = rows[0].batch;
      const state = await warehouseState({
        ...platform,
        warehouse: { ...platform.warehouse, client: reader },
      });
      await reader.query("commit");
      assertSame(state, history.stateOf(batch), `read at batch ${batch}`);
      seen.add(batch);
    }
  })();
  try {
    for (let round = 1; round <= 6; round++) {
      await execute(
        client,
        insertOrder(100 + round),
        `update sales_order set units_sold = units_sold + 1`,
        `update department set location = 'moved ${round}'`,
        `delete from payment where payment_id = ${round}`,
      );
      await history.extract();
      if (round % 2 === 0) continue;
      await platform.transform();
      await platform.load();
    }
  } finally {
    done = true;
    await reading.finally(() => reader.end());
  }

  assert.ok(seen.size >= 2, `saw ${[...seen]}`);
});

async function manifests(
  platform: Platform,
  zone: "ingestionUrl" | "processedUrl",
): Promise<string[]> {
  return (await zoneKeys(platform, zone)).filter((key) =>
    key.startsWith("_batches/") && key.endsWith(".json")
  );
}
