import assert from "node:assert/strict";
import { query, serverName } from "../../../lib/postgres/postgres.ts";
import { LOAD_CHANNEL } from "../../../lib/batches/load_channel.ts";
import { rebuildWarehouse } from "../../../load/repair/rebuild_warehouse.ts";
import { rebuildProcessed } from "../../../transform/rebuild_processed.ts";
import { transform } from "../../../transform/transform.ts";
import { damage, runSmallHistory } from "../../harness/damage.ts";
import { processedManifest } from "../../harness/manifests.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
  ZONE_KINDS,
} from "../../harness/platform.ts";
import { openClient } from "../../harness/servers/postgres.ts";
import { assertFreshlyLoaded, tableTexts } from "../../harness/rebuild.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";
import { stopAtEveryMoment } from "../../harness/stop_at_every_moment.ts";

for (const zones of ZONE_KINDS) {
  Deno.test(`rebuildWarehouse() repairs every damage, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    await runSmallHistory(platform);
    const loadedAt = await loadTimes(platform);
    await damage(platform);

    const { batch, repaired } = await rebuildWarehouse(platform.context);

    assert.equal(batch, 4);
    assert.deepEqual(
      {
        fact_sales_order: repaired.fact_sales_order,
        fact_purchase_order: repaired.fact_purchase_order,
        dim_location: repaired.dim_location,
        dim_currency: repaired.dim_currency,
        dim_payment_type: repaired.dim_payment_type,
        quarantine: repaired.quarantine,
      },
      {
        // Each was taken out and put in again.
        fact_sales_order: 6,
        fact_purchase_order: 1,
        dim_location: 0,
        dim_currency: 2,
        dim_payment_type: 1,
        quarantine: 1,
      },
    );
    await assertFreshlyLoaded(platform);
    const now = await loadTimes(platform);
    assert.equal(now["1"], loadedAt["1"]);
    assert.notEqual(now["3"], loadedAt["3"]);
    await platform.run();
    await assertFreshlyLoaded(platform);
  });
}

Deno.test("rebuildWarehouse() leaves correct rows and their dependents unchanged", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);
  const { client } = platform.warehouse;
  await execute(
    client,
    "create view payments as select * from fact_payment",
    "update fact_payment set paid = not paid where payment_id = 2",
  );
  const before = await places(platform);
  const loadedAt = await loadTimes(platform);
  const told: string[] = [];
  client.on("notification", (message) => told.push(message.payload ?? ""));
  await client.query(`listen ${LOAD_CHANNEL}`);

  const { repaired } = await rebuildWarehouse(platform.context);

  const touched = Object.entries(repaired).filter(([, count]) => count > 0);
  assert.deepEqual(touched, [["fact_payment", 2]]);
  const after = await places(platform);
  assert.equal(after.filter((place) => !before.includes(place)).length, 1);
  assert.deepEqual(await loadTimes(platform), loadedAt);
  await client.query("select count(*) from payments");
  assert.deepEqual(told, ["reset"]);
});

Deno.test("rebuildWarehouse() fills an empty warehouse, migrations first", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();

  await rebuildWarehouse(platform.context);

  assert.match(platform.logged.join("\n"), /migration 0001_pipeline applied/);
  await assertFreshlyLoaded(platform);
  assert.deepEqual((await platform.load()).batches, []);
});

Deno.test("rebuildWarehouse() works when other SQL made the zone", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);
  const hint = /^Run `\.\/totesys rebuild warehouse`$/;
  const changed = otherCurrencies("changed");
  platform.context.sql = changed;
  await rebuildProcessed(platform.context);
  await assert.rejects(platform.load(), { hint, message: /made by other SQL/ });

  await rebuildWarehouse(platform.context);

  await assertFreshlyLoaded(platform);
  const [currency] = await query(
    platform.warehouse.client,
    "select currency_name from dim_currency where currency_id = 1",
  );
  assert.equal(currency?.currency_name, "changed");
  await platform.extract();
  await platform.transform();
  assert.deepEqual((await platform.load()).batches, [5]);

  // Only the earlier batches are made by other SQL than the warehouse's.
  await platform.extract();
  platform.context.sql = otherCurrencies("again");
  await transform(platform.context, { accept: true });
  await platform.load();
  await rebuildProcessed(platform.context);
  await assert.rejects(platform.load(), {
    hint,
    message:
      /^Cannot continue the warehouse after batch 1: .* it was made by other SQL$/,
  });
  await rebuildWarehouse(platform.context);
  await assertFreshlyLoaded(platform);
});

Deno.test("load() continues after the zone was rebuilt with the same SQL", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);

  await rebuildProcessed(platform.context);

  assert.deepEqual((await platform.load()).batches, []);
  await platform.run();
  assert.equal((await processedManifest(platform, 5)).batch, 5);
});

Deno.test("rebuildWarehouse() replaces another lake only with --replace-lake", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);
  await using other = await openPlatform();
  await fillSmall(other.source.client);
  await other.extract();
  await other.transform();
  const { settings } = platform.warehouse;
  other.set({ warehouse: settings });
  const before = await tableTexts(platform.warehouse);

  await assert.rejects(rebuildWarehouse(other.context), {
    name: "StageError",
    message: `Cannot rebuild ${
      serverName(settings)
    }: it holds batch 4 of another lake than ${other.config.processedUrl}`,
    hint: /belong together; with --replace-lake/,
  });
  assert.deepEqual(await tableTexts(platform.warehouse), before);
  await rebuildWarehouse(other.context, { replaceLake: true });

  await assertFreshlyLoaded({ ...other, warehouse: platform.warehouse });
});

Deno.test("rebuildWarehouse() goes back to earlier batches only with --replace-lake", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);
  const { processedUrl } = platform.config;
  await Deno.remove(`${processedUrl}/_batches/000000004.json`);

  await assert.rejects(rebuildWarehouse(platform.context), {
    name: "StageError",
    message: new RegExp(`it holds batch 4, ${processedUrl} ends with 3$`),
    hint: /^Run transform first; with --replace-lake/,
  });
  await rebuildWarehouse(platform.context, { replaceLake: true });

  await assertFreshlyLoaded(platform);
});

Deno.test("rebuildWarehouse() refuses a zone without batches, and models that sql/ lacks", async () => {
  await using platform = await openPlatform();
  await assert.rejects(rebuildWarehouse(platform.context), {
    name: "StageError",
    message: /^Cannot rebuild .*: .*\/processed holds no batch$/,
    hint: /PROCESSED_URL/,
  });
  await runSmallHistory(platform);
  const { sql } = platform.context;
  platform.context.sql = {
    ...sql,
    models: sql.models.filter(({ name }) => name !== "fact_payment"),
    transformHash: "of an older version",
    earlierHashes: [],
  };
  const rebuilt = rebuildWarehouse(platform.context, { accept: true });
  await assert.rejects(rebuilt, {
    message:
      'Cannot load batch 1: it has the model "fact_payment", which sql/models lacks',
  });
});

Deno.test("rebuildWarehouse() waits a limited time for another load", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);
  const { warehouse, context } = platform;
  const other = await openClient(warehouse.url);
  await other.query("select pg_advisory_lock(7235419846134)");
  const server = serverName(warehouse.settings);

  await assert.rejects(rebuildWarehouse(context, { waitSeconds: 1 }), {
    name: "StageError",
    message:
      `Cannot load into ${server}: another load has been running there for over 1 seconds`,
    retryable: true,
  });
  const waiting = rebuildWarehouse(context, { waitSeconds: 60 });
  await other.query("select pg_advisory_unlock(7235419846134)");
  await waiting;

  await other.end();
  assert.match(
    platform.logged.join("\n"),
    /info: waiting for another load in .*, 1 s at most/,
  );
});

Deno.test("rebuildWarehouse() rolls back when a rule is broken or a file is damaged", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);
  await damage(platform);
  const before = await tableTexts(platform.warehouse);
  const { sql } = platform.context;
  const text = `-- Severity: error
select payment_id::text as key, 'is there' as finding
from checked_fact_payment where payment_id = 2`;
  platform.context.sql = {
    ...sql,
    checks: [{ name: "fact_payment__rule", text }],
  };
  await assert.rejects(rebuildWarehouse(platform.context), {
    subject: "fact_payment__rule",
    dataCheck: true,
  });
  platform.context.sql = sql;
  const [file] = (await processedManifest(platform, 3)).models.quarantine
    ?.files ?? [];
  const path = `${platform.config.processedUrl}/${file?.key}`;
  const whole = await Deno.readFile(path);
  await Deno.writeFile(path, whole.map((byte, at) => at === 0 ? 0 : byte));
  await assert.rejects(rebuildWarehouse(platform.context), {
    message: `Cannot read ${path}: its content does not match its checksum`,
  });

  assert.deepEqual(await tableTexts(platform.warehouse), before);
  await Deno.writeFile(path, whole);
  await rebuildWarehouse(platform.context);
  await assertFreshlyLoaded(platform);
});

Deno.test("rebuildWarehouse() records the checks' findings once", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);
  const { client } = platform.warehouse;
  const findings = () =>
    query(
      client,
      "select check_name, key, finding from pipeline.finding order by 1, 2",
    );
  const before = await findings();
  await execute(
    client,
    `insert into pipeline.finding values
      (1, 'fact_sales_order__units_sold_are_positive', 'warning', '1', 'old')`,
  );

  for (let round = 1; round <= 2; round++) {
    await rebuildWarehouse(platform.context);
    assert.deepEqual(await findings(), before);
  }

  assert.ok(before.some((row) => row.finding?.includes("design_id 40")));
});

Deno.test("rebuildWarehouse() changes nothing when it is stopped at any moment", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);
  await damage(platform);
  const before = await tableTexts(platform.warehouse);

  const stops = await stopAtEveryMoment(platform, {
    run: () => rebuildWarehouse(platform.context),
    afterStop: async () =>
      assert.deepEqual(await tableTexts(platform.warehouse), before),
  });

  assert.ok(stops >= 10, `stopped ${stops} times`);
  await assertFreshlyLoaded(platform);
});

/** The project's SQL, but all currencies have this name. */
function otherCurrencies(name: string): typeof PROJECT_SQL {
  return {
    ...PROJECT_SQL,
    transformHash: name,
    models: PROJECT_SQL.models.map((model) =>
      model.name === "dim_currency"
        ? {
          ...model,
          sql: `select currency_id, currency_code, '${name}' as currency_name
            from changed.currency`,
        }
        : model
    ),
  };
}

async function loadTimes({ warehouse }: Platform) {
  const rows = await query(
    warehouse.client,
    "select batch::text as batch, loaded_at::text as at from pipeline.batch",
  );
  return Object.fromEntries(rows.map((row) => [row.batch, row.at]));
}

/** Where each row of the facts and dimensions lies, and who wrote it. */
async function places({ warehouse }: Platform): Promise<string[]> {
  const places: string[] = [];
  for (const name of (await tableTexts(warehouse)).keys()) {
    const rows = await query(
      warehouse.client,
      `select concat_ws(' ', '${name}', ctid, xmin) as place from ${name}`,
    );
    places.push(...rows.map((row) => row.place ?? ""));
  }
  return places;
}
