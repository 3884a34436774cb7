import assert from "node:assert/strict";
import { ConfigError, exitCode, StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { verify } from "../../verify/verify.ts";
import { copyFolder } from "../harness/servers/cluster.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform, PROJECT_SQL } from "../harness/platform.ts";
import { openClient, openTestDatabase } from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { visible } from "../harness/readers/visible.ts";

Deno.test("extract() stops at a mass delete without --allow-mass-delete", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await execute(
    client,
    `insert into sales_order select 100 + n, now(), now(), 1, 1, 1, 1, 1, 1,
      '2022-01-01', '2022-01-01', 1 from generate_series(1, 20) as n`,
  );
  await platform.run();
  const before = await visible(platform);
  await execute(
    client,
    "create table kept as table sales_order",
    "truncate sales_order",
  );
  const assertRefused = async () => {
    await assert.rejects(platform.extract(), (error) => {
      assert(error instanceof StageError);
      assert.match(error.message, /23 of its 23 rows are gone/);
      assert.match(error.hint ?? "", /--allow-mass-delete/);
      assert.equal(error.subject, "sales_order");
      assert.equal(exitCode(error), 3);
      return true;
    });
    await platform.transform();
    await platform.load();
    assert.deepEqual(await visible(platform), before);
  };

  await assertRefused();
  // Whoever puts the rows back need say nothing.
  await execute(client, "insert into sales_order table kept");
  await platform.run();
  assert.deepEqual((await visible(platform)).warehouse, before.warehouse);
  await execute(client, "truncate sales_order");
  await assert.rejects(platform.extract(), StageError);
  await platform.extract({ allowMassDelete: true });
  await platform.transform();
  await platform.load();
  await assertMirrored(platform);
});

Deno.test("transform() refuses a truncated and rewritten log", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  await Deno.remove(platform.config.ingestionUrl, { recursive: true });
  await platform.extract();

  await assert.rejects(platform.transform(), (error) => {
    assert(error instanceof StageError);
    assert.match(
      error.message,
      /Cannot continue the lake after batch 1: .* another one now/,
    );
    return true;
  });
});

Deno.test("an ingestion zone from an older copy goes on as transform says", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  const { ingestionUrl } = platform.config;
  await fillSmall(client);
  await platform.run();
  const copy = `${ingestionUrl}-copy`;
  await copyFolder(ingestionUrl, copy);
  for (const id of [60, 61]) {
    await execute(
      client,
      insertOrder(id),
      `delete from payment where payment_id = ${id - 58}`,
    );
    await platform.run();
  }
  await Deno.remove(ingestionUrl, { recursive: true });
  await Deno.rename(copy, ingestionUrl);

  await platform.extract();
  await assert.rejects(platform.transform(), {
    name: "StageError",
    message: /Cannot continue the lake after batch 3: .* is missing now/,
    hint:
      /`\.\/totesys rebuild processed --replace-lake`, then `\.\/totesys rebuild warehouse --replace-lake`/,
  });

  await assert.rejects(rebuildProcessed(platform.context), {
    message: /Cannot continue the lake after batch 3/,
  });
  await rebuildProcessed(platform.context, { replaceLake: true });
  await assert.rejects(platform.load(), { name: "StageError" });
  await rebuildWarehouse(platform.context, { replaceLake: true });
  await assertMirrored(platform);
  assert.equal((await verify(platform.context)).same, true);
  await execute(client, insertOrder(62));
  await platform.run();
  await assertMirrored(platform);
});

Deno.test("transform() stops when sql/ has changed, without --accept", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  platform.context.sql = {
    ...PROJECT_SQL,
    transformHash: "another",
    quarantine: new Map(),
  };
  await platform.extract();

  await assert.rejects(platform.transform(), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, /changed sql\/ .* after batch 1: it changes: /);
    return true;
  });
  const { transform } = await import("../../transform/transform.ts");
  await transform(platform.context, { accept: true });
  await platform.load();
  await assertMirrored(platform);
});

Deno.test("transform() replaces a broken lake.duckdb", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  const lake = `${platform.config.processedUrl}/lake.duckdb`;
  const whole = await Deno.readFile(lake);
  await Deno.writeTextFile(lake, "no database");
  await platform.transform();
  assert.equal((await Deno.readFile(lake)).length, whole.length);
  assert.match(platform.logged.join("\n"), /lake.duckdb can't be read/);
  await Deno.remove(lake);
  await platform.transform();
  assert.equal((await Deno.readFile(lake)).length, whole.length);
});

Deno.test("load() makes placeholders for keys that no dimension has", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await execute(client, insertOrder(50).replace("1.00, 1,", "1.00, 77,"));
  await platform.run();
  await execute(client, insertOrder(51).replace("1.00, 1,", "1.00, 78,"));
  await platform.run();
  const placeholders = async () =>
    await query(
      platform.warehouse.client,
      "select currency_id::text as id from dim_currency where is_placeholder order by 1",
    );
  assert.deepEqual(await placeholders(), [{ id: "77" }, { id: "78" }]);

  await execute(
    client,
    "insert into currency values (77, 'JPY', now(), now())",
  );
  await platform.run();
  assert.deepEqual(await placeholders(), [{ id: "78" }]);
  await assertMirrored(platform);
  const warnings = await query(
    platform.warehouse.client,
    "select distinct key from pipeline.finding where check_name = 'fact_sales_order__references_are_known' order by 1",
  );
  assert.deepEqual(warnings, [{ key: "50" }, { key: "51" }]);
});

Deno.test("load() ends when another load is running", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  const other = await openClient(platform.warehouse.url);
  await other.query("select pg_advisory_lock(7235419846134)");

  const result = await platform.load();

  assert.equal(result.overtaken, true);
  assert.deepEqual(result.batches, []);
  await other.end();
});

Deno.test("extract() refuses a table for --full that the contract lacks", async () => {
  await using platform = await openPlatform();
  await assert.rejects(platform.extract({ fullRead: ["orders"] }), ConfigError);
});

Deno.test("stages name an unreachable server without its password", async () => {
  await using platform = await openPlatform();
  await using gone = await openTestDatabase();
  const { source } = platform.config;
  assert(source !== undefined);
  platform.set({ source: { ...source, password: "hunter2" } });
  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, /Cannot connect to 127.0.0.1:\d+\/test_\w+: /);
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  });
  platform.set({ source: { ...gone.settings, port: 1 } });
  await assert.rejects(platform.extract(), /Cannot connect to .*ECONNREFUSED/);
  platform.set({ source: { ...gone.settings, database: "nowhere" } });
  await assert.rejects(platform.extract(), /database "nowhere" does not exist/);
});
