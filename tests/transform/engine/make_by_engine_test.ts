import assert from "node:assert/strict";
import { StageError } from "../../../lib/errors.ts";
import { rebuildProcessed } from "../../../transform/rebuild_processed.ts";
import { openDuckDbEngine } from "../../harness/duckdb_engine.ts";
import { everyVersion } from "../../harness/readers/every_version.ts";
import { processedManifest } from "../../harness/manifests.ts";
import { zoneKeys } from "../../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
  ZONE_KINDS,
} from "../../harness/platform.ts";
import { warehouseHistory } from "../../harness/readers/oracle.ts";
import {
  changeSmall,
  fillSmall,
} from "../../harness/companies/small_source.ts";

type Changes = Parameters<typeof openDuckDbEngine>[1];

for (const zones of ZONE_KINDS) {
  Deno.test(`an engine's files make the lake and the warehouse that DuckDB makes, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    await extractHistory(platform);
    await platform.transform();
    await platform.load();
    const before = await everyVersion(platform);
    const loaded = await warehouseHistory(platform);
    withEngine(platform);

    await rebuildProcessed(platform.context);

    assert.deepEqual(await everyVersion(platform), before);
    const { engine, models } = await processedManifest(platform, 1);
    assert.equal(engine.other, "1");
    assert.deepEqual(
      models.fact_sales_order?.files.map(({ key }) =>
        /-engine\/part_\d$/.test(key)
      ),
      [true, true],
    );
    assert.deepEqual(await engineState(platform), []);
    await platform.extract();
    await platform.transform();
    await platform.load();
    assert.deepEqual(await warehouseHistory(platform), loaded);
  });
}

Deno.test("with Iceberg tables, DuckDB rewrites an engine's files", async () => {
  await using platform = await openPlatform();
  await extractHistory(platform);
  await platform.transform();
  const before = await everyVersion(platform);
  platform.set({ icebergCatalogue: "zone" });
  withEngine(platform);

  await rebuildProcessed(platform.context);

  assert.deepEqual(await everyVersion(platform), before);
  const keys = await zoneKeys(platform, "processedUrl");
  assert.deepEqual(keys.filter((key) => key.includes("-engine/")), []);
  for (const { name } of PROJECT_SQL.models) {
    assert.match(
      platform.logged.join("\n"),
      new RegExp(`${name}: \\d+ rows? in \\d+ files? by other`),
    );
  }
});

Deno.test("DuckDB makes the model that an engine refuses", async () => {
  await using platform = await openPlatform();
  await extractHistory(platform);
  await platform.transform();
  const before = await everyVersion(platform);
  withEngine(platform, { sqlOf: () => "select 1 / 0 as nothing from missing" });

  await rebuildProcessed(platform.context);

  assert.deepEqual(await everyVersion(platform), before);
  assert.match(
    platform.logged.join("\n"),
    /warning: dim_design is made by DuckDB, not by other: .*missing/,
  );
});

Deno.test("DuckDB rewrites an engine's files with other types", async () => {
  await using platform = await openPlatform();
  await extractHistory(platform);
  await platform.transform();
  const before = await everyVersion(platform);
  withEngine(platform, {
    sqlOf: ({ model }) =>
      model.name === "dim_currency"
        ? `select * replace (cast(currency_id as bigint) as currency_id) from (${model.sql})`
        : model.sql,
  });

  await rebuildProcessed(platform.context);

  assert.deepEqual(await everyVersion(platform), before);
  assert.match(
    platform.logged.join("\n"),
    /dim_currency is made by DuckDB, not by other: its columns are currency_id BIGINT, .*, not currency_id INTEGER, /,
  );
});

Deno.test("missing rows of an engine stop the batch", async () => {
  await using platform = await openPlatform();
  await extractHistory(platform);
  withEngine(platform, { says: (rows) => rows + 1 });

  await assert.rejects(platform.transform(), (error) => {
    assert.ok(error instanceof StageError);
    assert.match(
      error.message,
      /^Cannot use what other wrote to .*: (\d+) rows were found, it says \d+$/,
    );
    assert.ok(error.retryable);
    return true;
  });
  const keys = await zoneKeys(platform, "processedUrl");
  assert.deepEqual(keys.filter((key) => key.includes("-engine/")), []);
});

Deno.test("an engine that can't read a table stops the batch, and leaves no file", async () => {
  await using platform = await openPlatform();
  await extractHistory(platform);
  const { context, config } = platform;
  context.openEngine = async (zone) => ({
    ...await openDuckDbEngine({ config, zone }),
    register: () => Promise.reject(new Error("no such place")),
  });

  await assert.rejects(platform.transform(), /no such place/);

  assert.deepEqual(await engineState(platform), []);
});

Deno.test("an engine's rows that break a rule are held back like DuckDB's", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  platform.context.sql = {
    ...PROJECT_SQL,
    models: PROJECT_SQL.models.map((model) =>
      model.name === "dim_design"
        ? {
          ...model,
          table: { ...model.table, notNull: ["design_name"] },
          sql: model.sql.replace(
            "design_name,",
            "nullif(design_name, 'bad') as design_name,",
          ),
        }
        : model
    ),
  };
  await execute(
    client,
    "update design set design_name = 'bad' where design_id = 2",
  );
  await platform.extract();
  withEngine(platform);

  await assert.rejects(platform.transform(), {
    message:
      /^Cannot make "dim_design" in batch 1: "design_name" is null in 1 row/,
  });

  await execute(
    client,
    "update design set design_name = 'good' where design_id = 2",
  );
  await platform.extract();
  assert.deepEqual((await platform.transform()).batches, [1, 2]);
});

/** A first load, two batches of changes and deletes, and a full read. */
async function extractHistory(platform: Platform): Promise<void> {
  const { client } = platform.source;
  await fillSmall(client);
  await platform.extract();
  for (const batch of [2, 3]) {
    await changeSmall(client, batch);
    await execute(
      client,
      `delete from payment where payment_id = ${batch}`,
      "update department set location = 'Hull' where department_id = 1",
    );
    await platform.extract({ allowMassDelete: true });
  }
  await platform.extract({ fullRead: ["payment"] });
}

function withEngine(platform: Platform, changes: Changes = {}): void {
  const { context, config } = platform;
  context.openEngine = (zone) => openDuckDbEngine({ config, zone }, changes);
}

/** What is left of the files that only the engine needed. */
async function engineState(platform: Platform): Promise<string[]> {
  const keys = await zoneKeys(platform, "processedUrl");
  return keys.filter((key) =>
    key.startsWith("_state/") && key.includes("-engine/")
  );
}
