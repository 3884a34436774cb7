import assert from "node:assert/strict";
import { join } from "node:path";
import { fillSource } from "../../demo/fill.ts";
import { StageError } from "../../lib/errors.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { sweep } from "../../sweep/sweep.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { typeShare } from "../../transform/shares/type_share.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { everyVersion } from "../harness/readers/every_version.ts";
import { inFolder } from "../harness/in_folder.ts";
import { processedManifest } from "../harness/manifests.ts";
import { zoneKeys } from "../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { StoreClock } from "../harness/store_clock.ts";
import { Task, taskEnv } from "../harness/task.ts";
import {
  startTrino,
  type TrinoCluster,
  trinoEnv,
} from "../../embedded/trino_cluster.ts";
import { COORDINATOR } from "../../embedded/trino_node.ts";
import { trinoRows } from "../../embedded/trino_rest.ts";
import { givenTrino, withTrino } from "../harness/servers/trino.ts";
import { WIDENED, widenedSql } from "../harness/companies/widened_sql.ts";

const WORKERS = ["worker-1", "worker-2"];
const OLD_HOURS = 49;
/** How the key of a file ends that is written for the engine to read. */
const OF_DUCKDB = "/1.parquet";
const MS_PER_DAY = 86_400_000;
const WAIT_TRIES_MAX = 1200;
const WAIT_MS = 50;

Deno.test({
  name: "transform on Trino",
  ignore: givenTrino() === undefined,
  fn: async (test) => {
    const server = givenTrino();
    assert.ok(server !== undefined);
    const s3Endpoint = Deno.env.get("TEST_S3_ENDPOINT");
    await using trino = await startTrino({
      server,
      workers: WORKERS,
      s3Endpoint,
    });
    for (const zones of ZONE_KINDS) {
      await test.step(`with its zones on ${zones}`, async (test) => {
        await using platform = await openPlatform({ sourceSql: "", zones });
        await inFolder((folder) => useTrino(test, { platform, trino, folder }));
      });
    }
  },
});

interface Tried {
  platform: Platform;
  trino: TrinoCluster;
  /** Holds the SQL of tables that have got columns. */
  folder: string;
}

/** Makes a lake that DuckDB has made, and goes on while nodes die. */
async function useTrino(test: Deno.TestContext, tried: Tried): Promise<void> {
  const { platform, trino } = tried;
  const clock = new StoreClock(platform);
  await extractHistory(tried);
  await platform.transform();
  await platform.load();
  const before = await everyVersion(platform);
  assert.ok(before.dim_staff?.columns.includes("nickname VARCHAR"));
  withTrino(platform, trino);

  await test.step("rebuild makes the lake that DuckDB makes", async () => {
    await rebuildProcessed(platform.context);

    const { engine } = await processedManifest(platform, 1);
    assert.deepEqual(Object.keys(engine), ["duckdb", "trino"]);
    assertMadeByTrino(platform.logged.join("\n"));
    assert.deepEqual(await everyVersion(platform), before);
    assert.deepEqual(await leftOver(platform), []);
    assert.ok((await verify(platform.context)).same);
  });

  await test.step("rebuild reads what other processes have typed", async () => {
    const { context, logged } = platform;
    context.grouping = { bytesMax: 0 };
    for (const part of [1, 2]) {
      await typeShare(context, { part, of: 2, batch: 1 });
    }
    logged.length = 0;

    await rebuildProcessed(context);

    delete context.grouping;
    assert.match(logged.join("\n"), /batch 1: its \d+ files of CSV are typed/);
    assertMadeByTrino(logged.join("\n"));
    assert.deepEqual(await everyVersion(platform), before);
    const zone = openZone(platform.config.processedUrl, {
      s3: platform.config.s3,
    });
    for (const key of await leftOver(platform)) await zone.remove(key);
    zone.close();
  });

  await test.step("nothing is committed when a worker dies, and the other worker completes", async () => {
    const worker = await assertCommitsNothing(
      tried,
      () => trino.killAtWork("insert into"),
    );
    await trino.start();
    await assertCompletes(platform);
    await trino.start(worker);
  });

  await test.step("nothing is committed when the coordinator dies, and the next run completes", async () => {
    await assertCommitsNothing(tried, async () => {
      await trino.untilRunning("insert into");
      await trino.kill(COORDINATOR);
      return COORDINATOR;
    });
    await trino.start(COORDINATOR);
    await assertCompletes(platform);
  });

  await test.step("sweep removes a killed run's files, and its tables are dropped", async () => {
    await extractOrders(platform);
    const left = await killTransform(tried);
    const tables = await runTables(trino);
    await assertCompletes(platform);
    await clock.leap(OLD_HOURS);

    await sweep(platform.context, { zone: "processed" });

    const kept = new Set(await zoneKeys(platform, "processedUrl"));
    assert.deepEqual(left.filter((key) => kept.has(key)), []);
    assert.deepEqual(await leftOver(platform), []);
    assert.deepEqual(await unfinished(platform), []);
    assert.ok((await verify(platform.context)).same);
    assert.deepEqual(await runTables(trino), tables);
    await extractOrders(platform);
    await transform({ ...platform.context, clock: tomorrow });
    assert.deepEqual(await runTables(trino), []);
  });

  await test.step("DuckDB makes the models that Trino can't run alike", async () => {
    platform.context.sql = withUpperNames(platform.context.sql);
    platform.logged.length = 0;

    await rebuildProcessed(platform.context);

    assert.match(
      platform.logged.join("\n"),
      /warning: dim_design is made by DuckDB, not by trino: line \d+: upper\(\) was not tried in Trino/,
    );
  });
}

/**
 * A first load, changes with deletes, a full read, an empty batch, and columns
 * that come later.
 */
async function extractHistory({ platform, folder }: Tried): Promise<void> {
  const { client } = platform.source;
  await fillSource(client, { seed: 3, salesOrders: 300 });
  await execute(
    client,
    `update sales_order set created_at = '2024-02-03 04:05:06'
    where sales_order_id % 7 = 1`,
    `update sales_order set created_at = '2024-02-03 04:05:06.120'
    where sales_order_id % 7 = 2`,
    `update sales_order set created_at = '1969-12-31 23:59:59.999999'
    where sales_order_id % 7 = 3`,
  );
  await platform.extract();
  await execute(
    client,
    `update sales_order set units_sold = units_sold + 1
    where sales_order_id % 3 = 0`,
    `delete from payment where payment_id % 5 = 0`,
    `update department set location = 'Leeds' where department_id = 1`,
  );
  await platform.extract();
  await platform.extract({ fullRead: ["payment"] });
  await platform.extract();
  await execute(client, ...WIDENED);
  const sql = await widenedSql(folder);
  // The warehouse is made with the columns.
  platform.context.sql = { ...sql, migrations: [] };
  await platform.extract();
}

async function extractOrders(platform: Platform): Promise<void> {
  await execute(
    platform.source.client,
    "update sales_order set units_sold = units_sold + 1",
  );
  await platform.extract();
}

/** Fails unless a batch whose node is killed meanwhile ends so; the node. */
async function assertCommitsNothing(
  { platform }: Tried,
  kill: () => Promise<string>,
): Promise<string> {
  await extractOrders(platform);
  const committed = await newest(platform);
  const running = platform.transform().then(() => undefined, (error) => error);

  const node = await kill();
  const error = await running;

  assert.ok(error instanceof StageError, String(error));
  assert.match(error.message, /^Trino at http:\/\/127\.0\.0\.1:\d+ /);
  assert.ok(error.retryable);
  assert.equal(await newest(platform), committed);
  return node;
}

/** Fails unless the next run makes the batch, by Trino, and all is the same. */
async function assertCompletes(platform: Platform): Promise<void> {
  const committed = await newest(platform);

  const { batches } = await platform.transform();

  assert.deepEqual(batches, [committed + 1]);
  const { engine } = await processedManifest(platform, committed + 1);
  assert.deepEqual(Object.keys(engine), ["duckdb", "trino"]);
  await platform.load();
  assert.ok((await verify(platform.context)).same);
}

/**
 * Kills a transform in a process of its own while Trino writes its rows, and
 * gives the files that it has left.
 */
async function killTransform(
  { platform, trino, folder }: Tried,
): Promise<string[]> {
  const before = new Set(await engineKeys(platform));
  await using task = new Task(["transform"], {
    ...taskEnv(platform),
    ...trinoEnv(trino),
    SQL_DIRECTORY: join(folder, "sql"),
  });
  await trino.untilRunning("insert into");
  Deno.kill(-task.pid, "SIGKILL");
  await task.ended();
  // Trino completes a statement whose client is gone.
  for (let tries = 0; tries < WAIT_TRIES_MAX; tries++) {
    const left = (await engineKeys(platform)).filter((key) => !before.has(key));
    if (left.some((key) => !key.endsWith(OF_DUCKDB))) return left;
    await new Promise((wake) => setTimeout(wake, WAIT_MS));
  }
  throw new Error("Trino has written no row");
}

function assertMadeByTrino(log: string): void {
  assert.doesNotMatch(log, /is made by DuckDB/);
  for (const { name } of PROJECT_SQL.models) {
    assert.match(
      log,
      new RegExp(`${name}: \\d+ rows? in \\d+ files? by trino`),
    );
  }
}

async function newest(platform: Platform): Promise<number> {
  const keys = await zoneKeys(platform, "processedUrl");
  const numbers = keys.flatMap((key) =>
    /^_batches[^/]*\/(\d{9})\.json$/.exec(key)?.[1] ?? []
  );
  return Math.max(...numbers.map(Number));
}

/** The files in folders that an engine reads or writes. */
async function engineKeys(platform: Platform): Promise<string[]> {
  const keys = await zoneKeys(platform, "processedUrl");
  return keys.filter((key) => key.includes("-engine/"));
}

/** What is left of the files that only the engine needed. */
async function leftOver(platform: Platform): Promise<string[]> {
  const keys = await engineKeys(platform);
  return keys.filter((key) => key.startsWith("_state/"));
}

/** Uploads to the lake that nobody has ended. */
async function unfinished({ config }: Platform): Promise<string[]> {
  const zone = openZone(config.processedUrl, { s3: config.s3 });
  const files = await Array.fromAsync(zone.unfinished());
  zone.close();
  return files.map(({ name }) => name);
}

/** The tables in Trino's schema that belong to runs. */
async function runTables({ origin }: TrinoCluster): Promise<string[]> {
  const { rows } = await trinoRows(origin, "show tables from hive.totesys");
  return rows.map(([name]) => String(name)).sort();
}

/** The same SQL, but that a design's file is named in upper case. */
function withUpperNames(sql: ProjectSql): ProjectSql {
  const models = sql.models.map((model) => {
    if (model.name !== "dim_design") return model;
    const [column, upper] = [
      "    file_name\n",
      "    upper(file_name) as file_name\n",
    ];
    return { ...model, sql: model.sql.replace(column, upper) };
  });
  return { ...sql, models };
}

function tomorrow(): Date {
  return new Date(Date.now() + MS_PER_DAY);
}
