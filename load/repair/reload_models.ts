import { counted } from "../../lib/counted.ts";
import { BatchLog } from "../../lib/batches/batch_log.ts";
import { LAKE_WAY_BACK } from "../../lib/batches/live_files.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { whileIntact } from "../../lib/duckdb/while_intact.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import type { StageContext } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { checkDependents } from "../dependents/check_dependents.ts";
import { interceptedError } from "../dependents/check_triggers.ts";
import { versionsUpTo } from "../rows/find_versions.ts";
import { reportSchemaChanges } from "../tables/evolve_tables.ts";
import { validateFilled } from "../references/validate_filled.ts";
import {
  type EvolvedSchema,
  evolveSchema,
  SCHEMA_UNCHANGED,
} from "../tables/evolve_schema.ts";
import { checksOf } from "../checks/history_checks.ts";
import {
  freshTable,
  type Landed,
  landModel,
  type ReloadWork,
} from "../rows/land_rows.ts";
import { dimensionColumns } from "../rows/compare_rows.ts";
import { loadedModels } from "../../lib/warehouse/loaded_models.ts";
import { closedTable } from "../../lib/warehouse/model_tables.ts";
import { addPlaceholders } from "../references/add_placeholders.ts";
import { ModelTypes } from "../tables/model_types.ts";
import type { Loader } from "../open_loader.ts";
import {
  countOthers,
  reconcileDimension,
  reconcileRows,
  removeUnknown,
} from "./reconcile.ts";
import { runChecks } from "../checks/run_checks.ts";
import {
  readWarehouseTables,
  type WarehouseTable,
} from "../tables/warehouse_table.ts";
import { checkModels } from "../tables/check_models.ts";
import {
  type LedgerRow,
  ledgerRow,
  notifyReset,
  reconcileLedger,
} from "../write_ledger.ts";
import { sum } from "../../lib/batches/sum.ts";

/** The result of a reload. */
export interface Reloaded {
  /** The batch as of which the models are. */
  batch: number;
  /** The number of repaired rows of each model's tables. */
  repaired: Record<string, number>;
}

/** The options of a reload. */
export interface ReloadOptions {
  loader: Loader;
  zone: Zone;
  models: readonly Model[];
  /** The batch as of which the models will be, read while nobody loads. */
  upTo: (batches: BatchLog<ProcessedManifest>) => Promise<ProcessedManifest>;
  /** Removes what no model has any more. */
  drop: boolean;
  /**
   * Whether rows of others' tables may be deleted or changed with removed ones.
   */
  allowCascade?: boolean | undefined;
}

/**
 * Makes the tables of these models what a first load of all batches would make
 * them, in one transaction and without touching rows that are right: readers
 * see no gap, and objects that depend on the tables stay. If these are all
 * models, the ledger is made to match the log as well. The loader must be one
 * that waits.
 */
export async function reloadModels(
  context: StageContext,
  options: ReloadOptions,
): Promise<Reloaded> {
  const { config, resources, log, progress } = context;
  const { loader, zone, models } = options;
  await using duckdb = await resources.openDuckDb(config, {
    zones: [zone.url],
  });
  let done: Awaited<ReturnType<typeof reload>> = {
    batch: 0,
    repaired: {},
    rows: 0,
    ...SCHEMA_UNCHANGED,
  };
  await loader.transaction(async () => {
    done = await reload(context, { ...options, duckdb });
  });
  progress.end();
  const { batch, repaired, rows, schemaChanges, hasUnvalidatedKeys } = done;
  reportSchemaChanges(log, schemaChanges);
  for (const [model, count] of Object.entries(repaired)) {
    if (count === 0) continue;
    log.info("{model}: {count} rows were repaired", { model, count });
  }
  log.info("{models} models are as of batch {batch}: {rows} versions", {
    models: models.length,
    batch,
    rows,
  });
  if (hasUnvalidatedKeys) {
    await validateFilled(context, {
      client: loader.client,
      models: loadedModels(context.sql).map(({ name }) => name),
    });
  }
  return { batch, repaired };
}

async function reload(
  context: StageContext,
  options: ReloadOptions & { duckdb: DuckDb },
): Promise<Reloaded & EvolvedSchema & { rows: number }> {
  const { sql } = context;
  const { loader: { client }, zone, models, upTo, drop, duckdb } = options;
  const { allowCascade = false } = options;
  // The batch from before the wait may be replaced by now.
  const batches = new BatchLog<ProcessedManifest>(zone, "transform");
  const target = await upTo(batches);
  const { batch } = target;
  const all = loadedModels(sql);
  const newest = await batches.newest() ?? target;
  checkModels(target, { sql, newest });
  const versions = await versionsUpTo(batches, { batch, newest, models });
  const read = [...versions.values()].flatMap(({ files }) => files);
  const rows = sum(read, "rows");
  const ledger = models.length === all.length
    ? await readLedger(batches, { to: batch, sql, newest })
    : undefined;
  let repaired: Record<string, number> = {};
  let done = SCHEMA_UNCHANGED;
  context.progress.begin(`reload ${models.length} models`, { rows });
  const intact = checkFiles(zone, read, { hint: LAKE_WAY_BACK });
  await whileIntact(intact, async () => {
    const types = new ModelTypes(duckdb, sql);
    done = await evolveSchema(context, { client, types, only: models, drop });
    const tables = await readWarehouseTables(client, { models, types });
    const work: ReloadWork = {
      context,
      client,
      duckdb,
      zone,
      versions,
      allowCascade,
    };
    repaired = await reconcileModels(work, tables);
    for (const table of tables) await checkTable(work, { table, batch });
    if (ledger !== undefined) await reconcileLedger(client, ledger);
    await notifyReset(client);
  });
  return { batch, repaired, rows, ...done };
}

/** Makes tables hold these versions; returns how many rows of each differed. */
export async function reconcileModels(
  work: ReloadWork,
  tables: readonly WarehouseTable[],
): Promise<Record<string, number>> {
  const landed: Landed[] = [];
  for (const table of tables) landed.push(await landModel(work, table));
  await checkDependents(work, landed);
  const repaired = await reconcileTables(work, landed);
  await checkReconciled(work, tables);
  return repaired;
}

/** The ledger's rows for the batches up to one. */
async function readLedger(
  batches: BatchLog<ProcessedManifest>,
  options: { to: number; sql: ProjectSql; newest: ProcessedManifest },
): Promise<LedgerRow[]> {
  const { to } = options;
  const ledger: LedgerRow[] = [];
  for await (const manifest of batches.range({ from: 1, to })) {
    checkModels(manifest, options);
    ledger.push(ledgerRow(manifest));
  }
  return ledger;
}

/**
 * Dimensions get the rows they lack, then facts are corrected, and then surplus
 * rows of dimensions are deleted: so no reference ever dangles.
 */
async function reconcileTables(
  { context, client }: ReloadWork,
  landed: readonly Landed[],
): Promise<Record<string, number>> {
  const repaired: Record<string, number> = {};
  for (const { table, reconciliation, fresh } of landed) {
    context.signal.throwIfAborted();
    await addPlaceholders(client, table, {
      from: fresh ?? reconciliation.fresh,
      where: "true",
    });
    repaired[table.model.name] = (fresh === undefined
      ? 0
      : await reconcileDimension(client, table, fresh)) +
      await reconcileRows(client, reconciliation);
  }
  // Tables come before those that they refer to.
  for (const { table, fresh } of landed.toReversed()) {
    if (fresh === undefined) continue;
    const { name } = table.model;
    repaired[name] = (repaired[name] ?? 0) +
      await removeUnknown(client, table, fresh);
  }
  for (const [name, count] of Object.entries(repaired)) {
    if (count > 0) await client.query(`analyze ${quoteName(name)}`);
  }
  return repaired;
}

/** Checks the tables whose writes others' triggers and rules intercept. */
async function checkReconciled(
  { client }: ReloadWork,
  tables: readonly WarehouseTable[],
): Promise<void> {
  for (const table of tables) {
    if (table.interceptors.length === 0) continue;
    const { name, kind, recordId = "record_id" } = table.model;
    const isFact = kind === "fact";
    const columns = dimensionColumns(table);
    const { unequal } = table;
    const count = await countOthers(client, {
      name,
      fresh: freshTable(name),
      columns: isFact ? [recordId, ...columns] : columns,
      identity: isFact ? [recordId] : table.model.key,
      unequal,
      // Deleted rows of a dimension may have to stay as placeholders.
      bothWays: isFact,
    }) + (isFact ? 0 : await countOthers(client, {
      name: closedTable(name),
      fresh: freshTable(closedTable(name)),
      columns,
      identity: [...table.model.key, "from_batch"],
      unequal,
      bothWays: true,
    }));
    if (count > 0) throw interceptedError(table, counted(count, "rows"));
  }
}

/** The whole table counts as new, and so do its checks' findings. */
async function checkTable(
  work: ReloadWork,
  options: { table: WarehouseTable; batch: number },
): Promise<void> {
  const { context, client } = work;
  const { table, batch } = options;
  const models = loadedModels(context.sql).map(({ name }) => name);
  const checks = checksOf(table, { checks: context.sql.checks, models });
  await client.query(
    "delete from pipeline.finding where check_name = any($1)",
    [checks.map((check) => check.name)],
  );
  await runChecks(client, {
    table,
    checks,
    staging: undefined,
    batch,
    log: context.log,
  });
}
