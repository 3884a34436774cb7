import { join } from "node:path";
import type pg from "pg";
import { BatchLog } from "../lib/batches/batch_log.ts";
import { LAKE_WAY_BACK, readLiveFiles } from "../lib/batches/live_files.ts";
import type { LiveFile, ProcessedManifest } from "../lib/batches/manifest.ts";
import { checkFiles } from "../lib/batches/check_files.ts";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { duckDbCause } from "../lib/duckdb/duckdb_error.ts";
import { isForeign, messageOf, StageError } from "../lib/errors.ts";
import {
  inTransaction,
  serverName,
  sqlState,
  type TransactionOptions,
} from "../lib/postgres/postgres.ts";
import { quoteText } from "../lib/sql/quote.ts";
import { loadedModels } from "../lib/warehouse/loaded_models.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import { forStage } from "../lib/stage_context.ts";
import { openTempFolder } from "../lib/temp_folder.ts";
import type { Zone } from "../lib/zone/zone.ts";
import { checksOf } from "../load/checks/history_checks.ts";
import { adviceOn } from "../lib/warehouse/load_error.ts";
import { nameLockHolders } from "../lib/warehouse/lock_error.ts";
import { type BrokenRule, runWholeChecks } from "../load/checks/run_checks.ts";
import { readWarehouseTable } from "../load/tables/warehouse_table.ts";
import { tableRowsSql } from "../transform/tables/table_state.ts";
import { type CapturedSource, captureSource } from "./capture_source.ts";
import { checkZones } from "./check_zones.ts";
import { compareModels, type Comparison } from "./compare_models.ts";
import { makeExpectation, WORK_CATALOGUE } from "./expectation.ts";
import { asInLake, type Lake, type ModelInLake } from "./lake_rows.ts";
import { logVerification } from "./log_verification.ts";
import { type Verification, writeVerification } from "./verification.ts";
import { copyFromWarehouse, type ModelInWarehouse } from "./warehouse_rows.ts";
import {
  LOAD_SETTINGS,
  warehouseOf,
} from "../lib/warehouse/warehouse_settings.ts";

/** Undefined functions, tables and columns, by SQLSTATE. */
const MISSING = ["42883", "42P01", "42703"];
const MAKE_AGAIN =
  "Run `./totesys rebuild warehouse`: it makes each model's views and functions again";

/**
 * Reads one state of the warehouse; what checks create there is rolled back.
 */
const READING: TransactionOptions = {
  oneState: true,
  undo: true,
  settings: {
    idle_in_transaction_session_timeout: "0",
    work_mem: "64MB",
    jit: "off",
    row_security: "off",
  },
};

/** The input of the comparison. */
interface VerifyWork {
  context: StageContext;
  source: CapturedSource;
  warehouse: pg.Client;
  /** The folder of what is compared; files in it are removed once read. */
  folder: string;
}

/**
 * Compares the lake and the warehouse with the source, by content, as of a
 * batch that it extracts, and runs every check on the whole tables. The outcome
 * is written into the warehouse; a difference is logged as an error. Throws
 * when it could not verify.
 */
export async function verify(context: StageContext): Promise<Verification> {
  const { config, resources, progress, signal } = context;
  const settings = warehouseOf(context);
  const began = performance.now();
  try {
    await checkZones(context);
    await using folder = await openTempFolder(config);
    const source = await captureSource(context, folder.path);
    const { batch, snapshotTime } = source;
    await using connection = await resources.connect(settings, {
      purpose: "verify",
      signal,
    });
    const warehouse = connection.client;
    progress.begin(`verify ${batch}`);
    const work = { context, source, warehouse, folder: folder.path };
    const comparisons = await compareAll(work);
    const brokenRules = await findBrokenRules(work);
    const verification: Verification = {
      batch,
      snapshotTime,
      seconds: (performance.now() - began) / 1000,
      comparisons,
      brokenRules,
      same: comparisons.every((one) => one.differences === 0) &&
        brokenRules.every((rule) => rule.severity !== "error"),
    };
    await writeVerification(warehouse, verification);
    logVerification(verification, forStage(context, "verify"));
    return verification;
  } catch (error) {
    throw verifyError(error, serverName(settings));
  } finally {
    progress.end();
  }
}

async function compareAll(work: VerifyWork): Promise<Comparison[]> {
  const { context, source, folder } = work;
  const { config, resources, sql } = context;
  const zone = openStageZone(context, "processed");
  try {
    await using duckdb = await resources.openDuckDb(config, {
      zones: [zone.url, folder],
    });
    // Nobody reads that file later: closing it has nothing to write.
    await duckdb.run(
      `pragma disable_checkpoint_on_shutdown;
      attach ${quoteText(join(folder, "verify.duckdb"))} as ${WORK_CATALOGUE}`,
    );
    const log = new BatchLog<ProcessedManifest>(zone, "transform");
    const manifest = await log.read(source.batch);
    const { state } = manifest;
    const columns = await makeExpectation({
      duckdb,
      sql,
      source: source.tables,
      keptSql: (table) => tableRowsSql(zone, { state, table }),
    });
    const models = loadedModels(sql).map((model): ModelInLake => ({
      ...model,
      columns: (columns.get(model.name) ?? []).map((column) => ({
        ...column,
        isTime: model.times.includes(column.name),
      })),
    }));
    const lake: Lake = {
      zone,
      files: await readLiveFiles(log, manifest),
      batch: manifest.batch,
    };
    return await compareWithLake(work, { duckdb, models, lake });
  } finally {
    zone.close();
  }
}

async function compareWithLake(
  work: VerifyWork,
  options: { duckdb: DuckDb; models: readonly ModelInLake[]; lake: Lake },
): Promise<Comparison[]> {
  const { duckdb, lake } = options;
  let doubtful: readonly string[] = options.models.map(({ name }) => name);
  try {
    const models: ModelInLake[] = [];
    for (const model of options.models) {
      models.push(await asInLake(duckdb, lake, model));
    }
    const comparisons = await compareModels({
      duckdb,
      tables: work.context.sql.tables,
      models,
      lake,
      warehouse: copyModels(work, models),
      ask: (asking) => askWarehouse(work, asking),
      folder: work.folder,
    });
    doubtful = comparisons.filter((one) => one.differences > 0)
      .map((one) => one.model);
    return comparisons;
  } finally {
    // A damaged file explains whatever else is wrong with its model.
    await checkLake(
      lake.zone,
      lake.files.filter((file) => doubtful.includes(file.model)),
    );
  }
}

/**
 * Uses a connection of its own: that which copies rows is busy with the next
 * model.
 */
async function askWarehouse<Result>(
  { context }: VerifyWork,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const { resources, signal } = context;
  await using connection = await resources.connect(warehouseOf(context), {
    purpose: "verify",
    signal,
  });
  const { client } = connection;
  return await reading(context, client, () => work(client));
}

/** Waits for no lock for longer than a load does, and says who holds it. */
function reading<Result>(
  context: StageContext,
  client: pg.Client,
  work: () => Promise<Result>,
): Promise<Result> {
  const { lock_timeout } = LOAD_SETTINGS;
  const settings = { ...READING.settings, lock_timeout };
  return nameLockHolders(
    { ...context, task: "verify" },
    client,
    () => inTransaction(client, { ...READING, settings }, work),
  );
}

/** Copies one model ahead, so that DuckDB does not wait for the warehouse. */
async function* copyModels(
  { context, warehouse, source, folder }: VerifyWork,
  models: readonly ModelInLake[],
): AsyncGenerator<ModelInWarehouse> {
  const copy = (model: ModelInLake) => {
    const copying = reading(
      context,
      warehouse,
      () =>
        copyFromWarehouse(warehouse, { model, batch: source.batch, folder }),
    );
    // It may fail before it is awaited.
    copying.catch(() => {});
    return copying;
  };
  const [first, ...others] = models;
  if (first === undefined) return;
  let copying = copy(first);
  try {
    for (const model of others) {
      const copied = await copying;
      copying = copy(model);
      yield copied;
    }
    yield await copying;
  } finally {
    // Nothing may write into the folder when it is removed.
    await copying.catch(() => {});
  }
}

async function checkLake(
  zone: Zone,
  files: readonly LiveFile[],
): Promise<void> {
  try {
    await checkFiles(zone, files);
  } catch (error) {
    if (!(error instanceof StageError)) throw error;
    throw new StageError(`Cannot verify the lake: ${error.message}`, {
      subject: error.subject,
      hint: LAKE_WAY_BACK,
      cause: error,
    });
  }
}

/** Runs every check on its whole table. */
async function findBrokenRules(
  { context, warehouse }: VerifyWork,
): Promise<BrokenRule[]> {
  const { sql } = context;
  const broken: BrokenRule[] = [];
  const models = loadedModels(sql);
  for (const model of models) {
    broken.push(
      ...await reading(context, warehouse, async () => {
        const table = await readWarehouseTable(warehouse, model);
        const checks = checksOf(table, {
          checks: sql.checks,
          models: models.map((one) => one.name),
        });
        return await runWholeChecks(warehouse, { model, checks });
      }),
    );
  }
  return broken;
}

function verifyError(error: unknown, server: string): unknown {
  if (!isForeign(error)) return error;
  const state = sqlState(error);
  const { retryable, hint } = state === undefined
    ? duckDbCause(error) ?? adviceOn(error)
    : MISSING.includes(state)
    ? { retryable: false, hint: MAKE_AGAIN }
    : adviceOn(error);
  return new StageError(`Cannot verify ${server}: ${messageOf(error)}`, {
    subject: server,
    retryable,
    hint: retryable ? "Run verify again" : `${hint}; then run verify again`,
    cause: error,
  });
}
