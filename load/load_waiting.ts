import type pg from "pg";
import type { BatchLog } from "../lib/batch_log.ts";
import { checkFiles } from "../lib/data_files.ts";
import type { DuckDb } from "../lib/duckdb.ts";
import type { ProcessedManifest } from "../lib/manifest.ts";
import type { StageContext, StageResult } from "../lib/stage.ts";
import type { Zone } from "../lib/zone.ts";
import { inLoadTransaction } from "./in_load_transaction.ts";
import {
  checkContinuity,
  checkSameSql,
  enterBatches,
  newestEntry,
} from "./ledger.ts";
import { fillGroup, type GroupWork, mergeGroup } from "./load_group.ts";
import { checkModels, loadedModels } from "./loaded_models.ts";
import { readWarehouseTable, type WarehouseTable } from "./warehouse_table.ts";

/** Waiting batches share a transaction up to so many of them, or rows. */
const GROUP_BATCHES_MAX = 200;
const GROUP_ROWS_MAX = 5_000_000;

/**
 * Loads the batches up to the newest that the warehouse does not hold yet; the
 * caller holds the lock. Throws a `StageError` when the warehouse holds what
 * is not of this log.
 */
export async function loadWaiting(
  context: StageContext,
  options: {
    client: pg.Client;
    batches: BatchLog<ProcessedManifest>;
    newest: ProcessedManifest;
  },
): Promise<StageResult> {
  const { client, batches, newest } = options;
  const { zone } = batches;
  const result: StageResult = {
    stage: "load",
    batches: [],
    rows: 0,
    bytes: 0,
    snapshotTime: newest.snapshotTime,
  };
  const entry = await newestEntry(client);
  if (entry !== undefined) {
    const manifest = await batches.find(entry.batch);
    checkContinuity(entry, { manifest, zone: zone.url });
    await checkSameSql(client, { entry, manifest, batches });
  }
  let next = (entry?.batch ?? 0) + 1;
  if (next > newest.batch) {
    context.log.info("nothing new: batch {batch} is the newest", {
      batch: newest.batch,
    });
    return result;
  }
  await using duckdb = await context.resources.openDuckDb(context.config, {
    zones: [zone.url],
  });
  while (next <= newest.batch) {
    context.signal.throwIfAborted();
    const manifests = await nextGroup(batches, { next, last: newest.batch });
    const loaded = await loadGroup(context, {
      client,
      duckdb,
      zone,
      manifests,
    });
    result.batches.push(...manifests.map((manifest) => manifest.batch));
    result.rows += loaded.rows;
    result.bytes += loaded.bytes;
    next += manifests.length;
  }
  return result;
}

/** The next batches that share a transaction: one at least. */
async function nextGroup(
  batches: BatchLog<ProcessedManifest>,
  range: { next: number; last: number },
): Promise<ProcessedManifest[]> {
  const group: ProcessedManifest[] = [];
  let rows = 0;
  const to = Math.min(range.last, range.next + GROUP_BATCHES_MAX - 1);
  for await (const manifest of batches.range({ from: range.next, to })) {
    rows += filesOf(manifest).reduce((sum, file) => sum + file.rows, 0);
    if (group.length > 0 && rows > GROUP_ROWS_MAX) return group;
    group.push(manifest);
  }
  return group;
}

async function loadGroup(
  context: StageContext,
  options: {
    client: pg.Client;
    duckdb: DuckDb;
    zone: Zone;
    manifests: ProcessedManifest[];
  },
): Promise<{ rows: number; bytes: number }> {
  const { sql, log, progress } = context;
  const { client, zone, manifests } = options;
  const first = manifests[0]?.batch ?? 0;
  const last = manifests.at(-1)?.batch ?? 0;
  const name = first === last ? `${first}` : `${first} to ${last}`;
  const files = manifests.flatMap(filesOf);
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  progress.begin(`load ${name}`, { rows });
  const intact = checkFiles(zone, files);
  await inLoadTransaction(client, { intact }, async () => {
    const tables = await readTables(client, context, manifests);
    const work: GroupWork = {
      ...options,
      tables,
      checks: sql.checks,
      progress,
      log,
    };
    if (tables.every((table) => table.empty)) await fillGroup(work);
    else await mergeGroup(work);
    await enterBatches(client, manifests);
  });
  progress.end();
  log.info("batch {name}: {rows} versions, {bytes} bytes", {
    name,
    rows,
    bytes,
    batch: last,
    snapshotTime: manifests.at(-1)?.snapshotTime,
  });
  return { rows, bytes };
}

function filesOf(manifest: ProcessedManifest) {
  return Object.values(manifest.models).flatMap((model) => model.files);
}

/** The tables of all models, references first. */
async function readTables(
  client: pg.Client,
  context: StageContext,
  manifests: ProcessedManifest[],
): Promise<WarehouseTable[]> {
  const models = loadedModels(context.sql);
  for (const manifest of manifests) checkModels(manifest, models);
  const tables: WarehouseTable[] = [];
  for (const model of models) {
    tables.push(await readWarehouseTable(client, model));
  }
  return tables;
}
