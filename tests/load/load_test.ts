import assert from "node:assert/strict";
import { BatchLog } from "../../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { ConfigError } from "../../lib/errors.ts";
import { query, serverName } from "../../lib/postgres/postgres.ts";
import { openStageZone } from "../../lib/stage.ts";
import { load } from "../../load/load.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resyncTables } from "../../load/repair/resync_tables.ts";
import { makePlan } from "../../operate/plan.ts";
import { processedManifest } from "../harness/manifests.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { smallProject } from "../harness/companies/small_project.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

Deno.test("load() names the missing setting", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  platform.set({ warehouse: undefined });

  await assert.rejects(
    platform.load(),
    new ConfigError(["WAREHOUSE_URL is missing"]),
  );
});

Deno.test("load() does nothing when no batch is pending", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const nothing = { stage: "load", batches: [], rows: 0, bytes: 0 };

  assert.deepEqual(await platform.load(), nothing);
  await platform.run();
  const { snapshotTime } = await processedManifest(platform, 1);

  assert.deepEqual(await platform.load(), { ...nothing, snapshotTime });
});

Deno.test("load() refuses an empty zone when the warehouse has batches", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await platform.run();
  const empty = await Deno.makeTempDir();
  platform.set({ processedUrl: empty });

  await assert.rejects(platform.load(), {
    name: "StageError",
    message:
      `Cannot continue the warehouse after batch 1: in ${empty} it is missing`,
    hint: /^Check that PROCESSED_URL and WAREHOUSE_URL belong together/,
  });

  await Deno.remove(empty, { recursive: true });
});

Deno.test("load() refuses a warehouse of another lake before it changes anything", async () => {
  const sourceSql = "create table item (item_id integer primary key);";
  const company = (name: string) =>
    smallProject({
      source: sourceSql,
      models: [{
        name,
        key: ["item_id"],
        sql: "select item_id from changed.item",
      }],
    });
  const own = { name: "0100_mart", text: "create table mart (id integer)" };
  await using platform = await openPlatform({
    warehouse: "empty",
    sourceSql,
    sql: await company("dim_item"),
  });
  await platform.run();
  await using other = await openPlatform({
    warehouse: "empty",
    sourceSql,
    sql: { ...await company("dim_part"), migrations: [own] },
  });
  await other.extract();
  await other.transform();
  other.set({ warehouse: platform.warehouse.settings });
  const { client } = platform.warehouse;
  const tables = () =>
    query(
      client,
      `select table_schema, table_name from information_schema.tables
      where table_schema in ('public', 'pipeline') order by 1, 2`,
    );
  const before = await tables();
  const refusal = {
    name: "StageError",
    message:
      /^Cannot continue the warehouse after batch 1: .* it belongs to another lake$/,
  };

  await assert.rejects(other.load(), refusal);
  await assert.rejects(
    resyncTables(other.context, { tables: ["item"] }),
    refusal,
  );
  await assert.rejects(rebuildWarehouse(other.context), {
    name: "StageError",
    message: /: it holds batch 1 of another lake than /,
  });
  const plan = await makePlan(other.context);

  assert.deepEqual(await tables(), before);
  assert.match(plan.refusals[0]?.message ?? "", refusal.message);
  assert.deepEqual([...plan.warehouse, ...plan.lost, ...plan.rebuild], []);
});

Deno.test("load() opens no DuckDB for empty batches", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.run();
  await platform.extract();
  await platform.extract();
  await platform.transform();

  const { batches } = await load({
    ...platform.context,
    resources: {
      ...platform.context.resources,
      openDuckDb: () => Promise.reject(new Error("it was opened")),
    },
  });

  assert.deepEqual(batches, [2, 3]);
  assert.equal(await lastBatch(platform), "3");
});

Deno.test("load() reports the versions and bytes that it loads", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.extract();
  await platform.transform();
  const { models } = await processedManifest(platform, 1);
  const files = Object.values(models).flatMap((model) => model.files);
  const sum = (of: "rows" | "bytes") =>
    files.reduce((total, file) => total + file[of], 0);

  const result = await platform.load();

  assert.deepEqual(result.batches, [1, 2]);
  assert.equal(result.rows, sum("rows"));
  assert.equal(result.bytes, sum("bytes"));
  assert.match(platform.logged.join("\n"), /info: migration 0001_pipeline/);
});

for (const first of [true, false]) {
  const when = first ? "in its first batch" : "in a later batch";
  Deno.test(`load() commits nothing of a damaged file ${when}`, async () => {
    await using platform = await openPlatform({ warehouse: "empty" });
    await fillSmall(platform.source.client);
    if (!first) await platform.run();
    await execute(platform.source.client, insertOrder(30));
    await platform.extract();
    await platform.transform();
    const batch = first ? 1 : 2;
    const path = await dataFile(platform, { model: "fact_sales_order", batch });
    const whole = await Deno.readFile(path);
    // The first byte is read by nobody: only the checksum can tell.
    await Deno.writeFile(path, flipped(whole, 0));

    await assert.rejects(platform.load(), {
      name: "StageError",
      message: `Cannot read ${path}: its content does not match its checksum`,
      subject: path,
      hint: /^Restore the file/,
    });

    assert.equal(await lastBatch(platform), first ? null : "1");
    assert.equal(await orders(platform), first ? "0" : "3");
    await Deno.writeFile(path, whole);
    await platform.load();
    assert.equal(await orders(platform), "4");
  });
}

Deno.test("load() names a missing data file", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  const path = await dataFile(platform, { model: "dim_staff", batch: 1 });
  await Deno.remove(path);

  await assert.rejects(platform.load(), {
    name: "StageError",
    message: `Cannot read ${path}: the manifest lists it, and it is missing`,
    subject: path,
  });

  assert.equal(await lastBatch(platform), null);
});

Deno.test("load() names an unknown model, and one whose table was renamed", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.run();
  await execute(platform.source.client, insertOrder(30));
  await platform.extract();
  await platform.transform();
  const { sql } = platform.context;

  const models = sql.models.filter(({ name }) => name !== "fact_sales_order");
  platform.context.sql = {
    ...sql,
    models,
    transformHash: "of the version before",
    earlierHashes: [],
  };
  await assert.rejects(load(platform.context, { accept: true }), {
    name: "StageError",
    message:
      'Cannot load batch 2: it has the model "fact_sales_order", which sql/models lacks',
    subject: "fact_sales_order",
    hint: /newer/,
  });
  platform.context.sql = sql;
  await execute(
    platform.warehouse.client,
    "alter table dim_design rename to designs",
  );
  await assert.rejects(platform.load(), {
    name: "StageError",
    message:
      'Cannot load the model "dim_design": its table "dim_design" is designs now, where load does not look for it',
    subject: "dim_design",
  });

  assert.equal(await lastBatch(platform), "1");
});

Deno.test("load() names the server that refuses it, and what to do", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.run();
  await execute(platform.source.client, insertOrder(30));
  await platform.extract();
  await platform.transform();
  const { client, settings } = platform.warehouse;
  const role = `reader_${settings.database}`;
  await execute(
    client,
    `create role ${role} login password 'secret'`,
    `grant usage on schema pipeline to ${role}`,
    `grant select on all tables in schema public, pipeline to ${role}`,
    `grant temporary on database ${settings.database} to ${role}`,
  );
  const server = serverName(settings);

  platform.set({ warehouse: { ...settings, user: role, password: "secret" } });
  await assert.rejects(platform.load(), {
    name: "StageError",
    message: new RegExp(`^Cannot load into ${server}: permission denied for `),
    subject: server,
    retryable: false,
    hint: /load\/warehouse_roles.sql/,
  });
  platform.set({ warehouse: settings });
  const readOnly = `alter database ${settings.database}
    set default_transaction_read_only = on`;
  await execute(client, readOnly);
  await assert.rejects(platform.load(), {
    name: "StageError",
    message: /: cannot execute .* in a read-only transaction$/,
    subject: server,
    retryable: true,
    hint: /standby, or set read only/,
  });

  assert.equal(await lastBatch(platform), "1");
  await execute(client, `drop owned by ${role}`, `drop role ${role}`);
});

Deno.test("load() rolls back a batch that breaks a rule", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  const { sql } = platform.context;
  const text = `-- Severity: error
select sales_order_id::text as key, 'is there' as finding
from checked_fact_sales_order where sales_order_id in (2, 30)`;
  const checks = [{ name: "fact_sales_order__rule", text }];
  await platform.extract();
  await platform.transform();

  platform.context.sql = { ...sql, checks };
  await assert.rejects(platform.load(), {
    name: "StageError",
    message:
      'Cannot load batch 1: check fact_sales_order__rule found 1 row of "fact_sales_order" wrong, the first 2: is there',
    subject: "fact_sales_order__rule",
    dataCheck: true,
  });
  assert.equal(await lastBatch(platform), null);
  assert.equal(await orders(platform), "0");
  platform.context.sql = sql;
  await platform.load();
  await execute(platform.source.client, insertOrder(30));
  await platform.extract();
  await platform.transform();
  platform.context.sql = { ...sql, checks };
  await assert.rejects(platform.load(), /batch 2: .* the first 30: is there/);

  assert.equal(await lastBatch(platform), "1");
  assert.equal(await orders(platform), "3");
  const findings = await query(
    platform.warehouse.client,
    "select key from pipeline.finding",
  );
  assert.deepEqual(findings, []);
});

Deno.test("load() continues with a batch that repairs the broken rule of earlier ones", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { context, source: { client } } = platform;
  await fillSmall(client);
  await platform.run();
  const text = `-- Severity: error
select sales_order_id::text as key, 'too few' as finding
from checked_fact_sales_order where to_batch is null and units_sold < 0`;
  context.sql = {
    ...context.sql,
    checks: [{ name: "fact_sales_order__rule", text }],
  };
  context.loadBatchesMax = 2;
  const next = async (statement: string) => {
    await execute(client, statement);
    await platform.extract();
    await platform.transform();
  };
  await next("update sales_order set units_sold = -1 where sales_order_id = 2");
  for (let id = 101; id <= 106; id++) await next(insertOrder(id));
  await assert.rejects(platform.load(), { dataCheck: true });
  assert.equal(await lastBatch(platform), "1");

  await next("update sales_order set units_sold = 5 where sales_order_id = 2");
  const { batches } = await platform.load();

  assert.deepEqual(batches, [2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(await orders(platform), "11");
  assert.ok(
    platform.logged.some((line) =>
      /batches 2 to 3 break a rule, and are loaded together with later ones/
        .test(line)
    ),
  );
});

Deno.test("load() ends at once when another load is running", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await platform.run();
  await platform.extract();
  await platform.transform();
  const other = await openClient(platform.warehouse.url);
  const { rows: [key] } = await other.query(
    "select 7235419846134::bigint as lock, pg_advisory_lock(7235419846134)",
  );

  const result = await platform.load();

  assert.equal(key.lock, "7235419846134");
  assert.equal(result.overtaken, true);
  assert.deepEqual(result.batches, []);
  assert.equal(await lastBatch(platform), "1");
  assert.match(
    platform.logged.join("\n"),
    /warning: another load is running in /,
  );
  await other.end();
  assert.deepEqual((await platform.load()).batches, [2]);
});

Deno.test("load() throws the signal's reason when it is stopped", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  const stopping = new AbortController();
  platform.context.signal = stopping.signal;
  platform.context.progress = {
    begin: () => stopping.abort(new DOMException("asked", "AbortError")),
    add() {},
    end() {},
  };

  await assert.rejects(platform.load(), { name: "AbortError" });

  assert.equal(await lastBatch(platform), null);
});

async function dataFile(
  platform: Platform,
  options: { model: string; batch: number },
): Promise<string> {
  const zone = openStageZone(platform.context, "processed");
  const log = new BatchLog<ProcessedManifest>(zone, "transform");
  const { models } = await log.read(options.batch);
  const [file] = models[options.model]?.files ?? [];
  assert(file !== undefined);
  return zone.locate(file.key);
}

/** Turns one bit over. */
function flipped(bytes: Uint8Array, position: number): Uint8Array {
  return bytes.map((byte, index) => index === position ? byte ^ 1 : byte);
}

async function lastBatch({ warehouse }: Platform): Promise<string | null> {
  const { rows: [row] } = await warehouse.client.query(
    "select max(batch)::text as batch from pipeline.batch",
  );
  return row.batch;
}

async function orders({ warehouse }: Platform): Promise<string> {
  const { rows: [row] } = await warehouse.client.query(
    "select count(*)::text as orders from fact_sales_order",
  );
  return row.orders;
}
