import assert from "node:assert/strict";
import { sweep } from "../../../sweep/sweep.ts";
import { rebuildProcessed } from "../../../transform/rebuild_processed.ts";
import { typeShare } from "../../../transform/shares/type_share.ts";
import { transform } from "../../../transform/transform.ts";
import { verify } from "../../../verify/verify.ts";
import { TestAthena } from "../../harness/servers/athena.ts";
import { AthenaStatements } from "../../harness/servers/athena_statements.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { WIDENED, widenedSql } from "../../harness/companies/widened_sql.ts";
import { everyVersion } from "../../harness/readers/every_version.ts";
import { processedManifest } from "../../harness/manifests.ts";
import { warehouseHistory, zoneKeys } from "../../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../../harness/platform.ts";
import {
  changeSmall,
  fillSmall,
} from "../../harness/companies/small_source.ts";
import { StoreClock } from "../../harness/store_clock.ts";
import { Task, taskEnv } from "../../harness/task.ts";

Deno.test("Athena makes the lake and the warehouse that DuckDB makes", async () => {
  await using platform = await openPlatform({ zones: "S3" });
  await extractHistory(platform);
  await platform.transform();
  await platform.load();
  const before = await everyVersion(platform);
  assert.ok(before.dim_staff?.columns.includes("nickname VARCHAR"));
  const loaded = await warehouseHistory(platform);
  await using statements = await openStatements(platform);
  await using athena = new TestAthena((sql) => statements.run(sql));
  useAthena(platform, athena);

  await rebuildProcessed(platform.context);

  assert.deepEqual(await everyVersion(platform), before);
  const { engine } = await processedManifest(platform, 1);
  assert.equal(engine.athena, "3");
  assertMadeByAthena(platform.logged.join("\n"));
  assert.deepEqual(statements.tables, []);
  assert.deepEqual(await engineKeys(platform), []);
  await platform.extract();
  await platform.transform();
  await platform.load();
  assert.deepEqual(await warehouseHistory(platform), loaded);
});

Deno.test("Athena reads the CSV that other processes have typed, with its microseconds", async () => {
  await using platform = await openPlatform({ zones: "S3" });
  await extractHistory(platform);
  await platform.transform();
  const before = await everyVersion(platform);
  await using statements = await openStatements(platform);
  const inputs: string[] = [];
  await using athena = new TestAthena((sql) => {
    inputs.push(.../location '.*\/_state\/(.*)\/batch=0*1\//.exec(sql) ?? []);
    return statements.run(sql);
  });
  useAthena(platform, athena);
  const { context } = platform;
  context.grouping = { bytesMax: 0 };
  for (const part of [1, 2]) {
    await typeShare(context, { part, of: 2, batch: 1 });
  }

  await rebuildProcessed(context);

  assert.deepEqual(await everyVersion(platform), before);
  assertMadeByAthena(platform.logged.join("\n"));
  assert.ok(inputs.includes("typed.sales_order"), inputs.join("\n"));
  assert.ok(!inputs.includes("changed.sales_order"), inputs.join("\n"));
  assert.deepEqual(statements.tables, []);
});

Deno.test("sweep removes a killed run's files of Athena, and its tables are dropped", async () => {
  await using platform = await openPlatform({ zones: "S3" });
  await using statements = await openStatements(platform);
  await using athena = new TestAthena((sql) => statements.run(sql));
  const clock = new StoreClock(platform);
  await fillSmall(platform.source.client);
  await platform.extract();
  await using task = new Task(["transform"], {
    ...taskEnv(platform),
    ...athenaEnv(athena),
  });
  await untilWriting(athena, () => {
    Deno.kill(-task.pid, "SIGKILL");
    return task.ended();
  });
  await athena.settled();
  const left = await engineKeys(platform);
  assert.ok(left.some((key) => !key.endsWith("/1.parquet")), left.join("\n"));
  assert.notDeepEqual(statements.tables, []);
  useAthena(platform, athena);

  assert.deepEqual((await platform.transform()).batches, [1]);
  await platform.load();
  await clock.leap(49);
  await sweep(platform.context, { zone: "processed" });

  assert.deepEqual(await engineKeys(platform), []);
  assert.ok((await verify(platform.context)).same);
  await execute(
    platform.source.client,
    "update sales_order set units_sold = units_sold + 1",
  );
  await platform.extract();
  await transform({ ...platform.context, clock: tomorrow });
  assert.deepEqual(statements.tables, []);
});

Deno.test("an aborted batch stops Athena's statement, and commits nothing", async () => {
  await using platform = await openPlatform({ zones: "S3" });
  await using statements = await openStatements(platform);
  await using athena = new TestAthena((sql) => statements.run(sql));
  await fillSmall(platform.source.client);
  await platform.extract();
  useAthena(platform, athena);
  const abort = new AbortController();
  platform.context.signal = abort.signal;
  const ended = assert.rejects(platform.transform(), /time is up/);

  await untilWriting(athena, async () => {
    abort.abort(new Error("time is up"));
    await ended;
  });

  assert.equal(athena.executions.at(-1)?.state, "CANCELLED");
  const keys = await zoneKeys(platform, "processedUrl");
  assert.deepEqual(keys.filter((key) => key.startsWith("_batches")), []);
});

Deno.test("DuckDB makes the models that Athena refuses, and other errors of Athena stop the batch", async () => {
  await using platform = await openPlatform({ zones: "S3" });
  await using statements = await openStatements(platform);
  await using athena = new TestAthena((sql) => statements.run(sql));
  await fillSmall(platform.source.client);
  await platform.extract();
  useAthena(platform, athena);
  const isInsert = (sql: string) => sql.startsWith("insert");
  athena.gate = (sql) => {
    athena.failure = isInsert(sql)
      ? {
        reason: "Query exhausted resources at this scale factor",
        error: { ErrorCategory: 1, ErrorType: 0, Retryable: true },
      }
      : undefined;
    return Promise.resolve();
  };

  await assert.rejects(platform.transform(), {
    name: "StageError",
    message:
      "Athena in us-east-1 could not run a statement: Query exhausted resources at this scale factor",
    retryable: true,
  });
  assert.deepEqual(await engineKeys(platform), []);
  assert.deepEqual(statements.tables, []);

  athena.gate = (sql) => {
    athena.failure = isInsert(sql)
      ? {
        reason: "FUNCTION_NOT_FOUND: line 1:8: Function 'fail' not registered",
        error: { ErrorCategory: 2, ErrorType: 1006, Retryable: false },
      }
      : undefined;
    return Promise.resolve();
  };

  assert.deepEqual((await platform.transform()).batches, [1]);
  assert.match(
    platform.logged.join("\n"),
    /warning: dim_date is made by DuckDB, not by athena: FUNCTION_NOT_FOUND/,
  );
});

Deno.test("missing rows in Athena stop the batch", async () => {
  await using platform = await openPlatform({ zones: "S3" });
  await using statements = await openStatements(platform);
  await using athena = new TestAthena((sql) =>
    statements.run(
      // As if the files were hidden, whose folder's name begins with "_".
      sql.replace(/location '.*'/, "location 's3://tests/elsewhere/'"),
    )
  );
  await fillSmall(platform.source.client);
  await platform.extract();
  useAthena(platform, athena);

  await assert.rejects(platform.transform(), {
    name: "StageError",
    message:
      /^Cannot let athena read s3:.*: 0 rows were found, [1-9]\d* were written$/,
    retryable: true,
  });
});

function openStatements({ config }: Platform): Promise<AthenaStatements> {
  return AthenaStatements.open(config, {
    database: "totesys",
    zone: config.processedUrl,
  });
}

function useAthena(platform: Platform, athena: TestAthena): void {
  platform.set({
    transformEngine: "athena",
    transformEngineBytesMin: 0,
    athena: athena.settings,
  });
}

function assertMadeByAthena(log: string): void {
  assert.doesNotMatch(log, /is made by DuckDB/);
  for (const { name } of PROJECT_SQL.models) {
    assert.match(
      log,
      new RegExp(
        `${name}: \\d+ rows? in \\d+ files? by athena, which read \\d+ bytes`,
      ),
    );
  }
}

/**
 * A first load with moments of every precision, changes, a full read, and
 * columns that come later.
 */
async function extractHistory(platform: Platform): Promise<void> {
  const { client } = platform.source;
  await fillSmall(client);
  await execute(
    client,
    `update sales_order set created_at = '2024-02-03 04:05:06.123456'
    where sales_order_id % 3 = 1`,
    `update sales_order set created_at = '1969-12-31 23:59:59.999999'
    where sales_order_id % 3 = 2`,
  );
  await platform.extract();
  for (const batch of [2, 3]) {
    await changeSmall(client, batch);
    await execute(client, `delete from payment where payment_id = ${batch}`);
    await platform.extract({ allowMassDelete: true });
  }
  await platform.extract({ fullRead: ["payment"] });
  await execute(client, ...WIDENED);
  await inFolder(async (folder) => {
    platform.context.sql = await widenedSql(folder);
  });
  await platform.extract();
}

/** The settings of a process that transforms on Athena. */
function athenaEnv({ settings }: TestAthena): Record<string, string> {
  const { workgroup, database, endpoint = "" } = settings;
  return {
    TRANSFORM_ENGINE: "athena",
    TRANSFORM_ENGINE_BYTES_MIN: "0",
    ATHENA_WORKGROUP: workgroup,
    ATHENA_DATABASE: database,
    AWS_ENDPOINT_URL_ATHENA: endpoint,
  };
}

/** Does something while Athena is about to write rows. */
async function untilWriting(
  athena: TestAthena,
  act: () => Promise<unknown>,
): Promise<void> {
  const acted = Promise.withResolvers<void>();
  athena.gate = async (sql) => {
    if (!sql.startsWith("insert")) return;
    athena.gate = () => Promise.resolve();
    await act().then(() => acted.resolve(), acted.reject);
  };
  await acted.promise;
}

async function engineKeys(platform: Platform): Promise<string[]> {
  const keys = await zoneKeys(platform, "processedUrl");
  return keys.filter((key) => key.includes("-engine/"));
}

function tomorrow(): Date {
  return new Date(Date.now() + 86_400_000);
}
