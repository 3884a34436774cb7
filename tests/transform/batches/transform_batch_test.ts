import assert from "node:assert/strict";
import { doctorManifest, processedManifest } from "../../harness/manifests.ts";
import {
  assertSame,
  History,
  lakeState,
  openLake,
  sourceState,
  type State,
} from "../../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  ZONE_KINDS,
} from "../../harness/platform.ts";
import {
  fillSmall,
  insertOrder,
} from "../../harness/companies/small_source.ts";

for (const zones of ZONE_KINDS) {
  Deno.test(`a full read repairs every difference in the lake, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { client } = platform.source;
    await fillSmall(client);
    await execute(
      client,
      "update payment set payment_date = 'never' where payment_id = 4",
    );
    await transformNext(platform);
    await execute(
      client,
      "delete from payment where payment_id in (4, 5)",
      "delete from staff where staff_id = 4",
      "delete from department where department_id = 3",
      "delete from design where design_id = 3",
      "truncate payment_type",
      "update currency set currency_code = 'CHF' where currency_id = 2",
      insertOrder(9),
    );
    await transformNext(platform, { massDelete: true });
    const { state } = await processedManifest(platform, 1);
    // As if the second batch had never reached models and state.
    await doctorManifest(platform, 2, (manifest) => {
      manifest.models = {};
      manifest.state = state;
      manifest.quarantined = 1;
    });
    await platform.transform();
    const truth = await sourceState(platform);
    assert.notDeepEqual(withoutCalendar(await lakeNow(platform)), truth);

    await platform.extract({ fullRead: true });
    await platform.transform();

    const healed = await lakeNow(platform);
    assert.deepEqual(withoutCalendar(healed), truth);
    assert.ok(healed.dim_date?.includes('["2023-01-03"]'));
    await using lake = await openLake(platform);
    assert.deepEqual(await lake.rows("from totes.quarantine_current"), []);
    assert.equal((await processedManifest(platform, 3)).quarantined, 0);
  });
}

Deno.test("a full read repairs a join of which only the state is right", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await transformNext(platform);
  await execute(client, "update department set location = 'Hull'");
  await transformNext(platform);
  await doctorManifest(platform, 2, (manifest) => {
    delete manifest.models.dim_staff;
  });
  await platform.transform();

  await platform.extract({ fullRead: ["staff"] });
  await platform.transform();

  assert.deepEqual(
    withoutCalendar(await lakeNow(platform)),
    await sourceState(platform),
  );
});

Deno.test("a full read keeps the last good version of a quarantined row", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  const history = new History(platform);
  await fillSmall(client);
  await history.step();
  await execute(
    client,
    "update payment set payment_date = 'never' where payment_id = 4",
    "update staff set created_at = 'infinity' where staff_id = 2",
  );
  await history.extract();
  await platform.transform();
  const before = await lakeNow(platform);

  for (const fullRead of [true, ["payment", "staff"]] as const) {
    await platform.extract({ fullRead });
    await platform.transform();
  }

  assertSame(await lakeNow(platform), before, "after full reads");
  for (const batch of [3, 4]) {
    assert.deepEqual((await processedManifest(platform, batch)).models, {});
  }
});

async function transformNext(
  platform: Platform,
  options: { massDelete?: boolean } = {},
): Promise<void> {
  await platform.extract({ allowMassDelete: options.massDelete === true });
  await platform.transform();
}

async function lakeNow(platform: Platform): Promise<State> {
  await using lake = await openLake(platform);
  return await lakeState(lake);
}

/** The calendar only ever grows: the source doesn't tell what it holds. */
function withoutCalendar({ dim_date: _calendar, ...state }: State): State {
  return state;
}
