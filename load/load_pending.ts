import type pg from "pg";
import type { BatchLog } from "../lib/batches/batch_log.ts";
import { LAKE_WAY_BACK } from "../lib/batches/live_files.ts";
import {
  allVersionsOf,
  type ProcessedManifest,
} from "../lib/batches/manifest.ts";
import { checkFiles } from "../lib/duckdb/data_files.ts";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { StageError } from "../lib/errors.ts";
import type { StageContext, StageResult } from "../lib/stage.ts";
import { warnOfAbandoned } from "./abandoned_tables.ts";
import { checkVersions, findVersions } from "./find_versions.ts";
import { followModels } from "./follow_models.ts";
import {
  checkContinuity,
  checkSameSql,
  enterBatches,
  type LedgerEntry,
  ledgerEntry,
  newestEntry,
} from "./ledger.ts";
import { bulkLoad, type GroupWork, mergeGroup } from "./load_group.ts";
import { checkModels, loadedModels } from "./loaded_models.ts";
import { ModelTypes } from "./model_types.ts";
import type { Loader } from "./open_loader.ts";
import { validateFilled } from "./validate_filled.ts";
import { readWarehouseTables } from "./warehouse_table.ts";
import { whileIntact } from "./while_intact.ts";

/** Up to this many waiting batches, or rows, share a transaction. */
const GROUP_BATCHES_MAX = 200;
const GROUP_ROWS_MAX = 5_000_000;

/** What a transaction has loaded. */
interface LoadedGroup {
  rows: number;
  bytes: number;
  /** Whether there are foreign keys left to be validated. */
  isLeft: boolean;
}

/** What reads the lake's files. */
interface Reader {
  duckdb: DuckDb;
  types: ModelTypes;
}

/**
 * Loads the batches up to the newest that the warehouse does not hold yet, and
 * continues from those that other loads add meanwhile. Throws a `StageError`
 * when the warehouse holds a batch that is not in this log.
 */
export async function loadPending(
  context: StageContext,
  options: {
    loader: Loader;
    batches: BatchLog<ProcessedManifest>;
    newest: ProcessedManifest;
  },
): Promise<StageResult> {
  const { loader, batches, newest } = options;
  const { client } = loader;
  const { zone } = batches;
  const result: StageResult = {
    stage: "load",
    batches: [],
    rows: 0,
    bytes: 0,
    snapshotTime: newest.snapshotTime,
  };
  let entry = await checkedEntry(client, batches);
  const nextBatch = () => (entry?.batch ?? 0) + 1;
  if (nextBatch() > newest.batch) {
    context.log.info("nothing new: batch {batch} is the newest", {
      batch: newest.batch,
    });
    return result;
  }
  await using opened = new AsyncDisposableStack();
  let reader: Promise<Reader> | undefined;
  const open = async (): Promise<Reader> => {
    const { resources, config, sql } = context;
    const zones = [zone.url];
    const duckdb = opened.use(await resources.openDuckDb(config, { zones }));
    return { duckdb, types: new ModelTypes(duckdb, sql) };
  };
  let least = 1;
  while (nextBatch() <= newest.batch) {
    context.signal.throwIfAborted();
    const manifests = await nextGroup(batches, {
      next: nextBatch(),
      last: newest.batch,
      least,
      most: Math.max(least, context.loadBatchesMax ?? GROUP_BATCHES_MAX),
    });
    let loaded: LoadedGroup | undefined;
    let broken: StageError | undefined;
    const isAlone = await loader.transaction(async () => {
      const held = await newestEntry(client);
      if (JSON.stringify(held) !== JSON.stringify(entry)) return;
      loaded = await loadGroup(context, {
        client,
        reader: () => reader ??= open(),
        batches,
        newest,
        manifests,
        follow: entry?.transformHash !== context.sql.transformHash,
      });
    }).catch((error) => {
      const isNewest = manifests.at(-1)?.batch === newest.batch;
      const mayBeMended = error instanceof StageError && error.dataCheck;
      if (isNewest || !mayBeMended) throw error;
      broken = error;
      return true;
    });
    context.progress.end();
    if (!isAlone) return { ...result, overtaken: true };
    if (broken !== undefined) {
      // A later batch may repair it.
      least = 2 * manifests.length;
      context.log.warn(
        "batches {name} break a rule, and are loaded together with later ones: {reason}",
        { name: nameOf(manifests), reason: broken.message },
      );
      continue;
    }
    const last = manifests.at(-1);
    if (loaded === undefined || last === undefined) {
      // Another load came first.
      entry = await checkedEntry(client, batches);
      continue;
    }
    least = 1;
    entry = ledgerEntry(last);
    result.batches.push(...manifests.map((manifest) => manifest.batch));
    result.rows += loaded.rows;
    result.bytes += loaded.bytes;
    tellLoaded(context, { manifests, ...loaded });
    if (loaded.isLeft) {
      const models = loadedModels(context.sql).map(({ name }) => name);
      await validateFilled(context, { client, models });
    }
  }
  return result;
}

/** The newest batch in the warehouse, which must be the log's. */
export async function checkedEntry(
  client: pg.Client,
  batches: BatchLog<ProcessedManifest>,
): Promise<LedgerEntry | undefined> {
  const entry = await newestEntry(client);
  if (entry === undefined) return undefined;
  const manifest = await batches.find(entry.batch);
  checkContinuity(entry, { manifest, zone: batches.zone.url });
  await checkSameSql(client, { entry, manifest, batches });
  return entry;
}

/** The next batches that share a transaction, from `least` to `most` of them. */
async function nextGroup(
  batches: BatchLog<ProcessedManifest>,
  range: { next: number; last: number; least: number; most: number },
): Promise<ProcessedManifest[]> {
  const group: ProcessedManifest[] = [];
  let rows = 0;
  const to = Math.min(range.last, range.next + range.most - 1);
  for await (const manifest of batches.range({ from: range.next, to })) {
    rows += allVersionsOf(manifest);
    const isFull = group.length >= range.least && rows > GROUP_ROWS_MAX;
    if (isFull) return group;
    group.push(manifest);
  }
  return group;
}

/** Loads a group of batches in the transaction that is open. */
async function loadGroup(
  context: StageContext,
  options: {
    client: pg.Client;
    reader: () => Promise<Reader>;
    batches: BatchLog<ProcessedManifest>;
    newest: ProcessedManifest;
    manifests: readonly ProcessedManifest[];
    /** Whether the tables may not have followed the models yet. */
    follow: boolean;
  },
): Promise<LoadedGroup> {
  const { sql, progress } = context;
  const { client, reader, batches, newest, manifests, follow } = options;
  const { zone } = batches;
  const rows = manifests.reduce((sum, one) => sum + allVersionsOf(one), 0);
  progress.begin(`load ${nameOf(manifests)}`, { rows });
  const versions = await findVersions(batches, options);
  const files = [...versions.values()].flatMap((model) => model.files);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const intact = checkFiles(zone, files, { hint: LAKE_WAY_BACK });
  let isLeft = false;
  await whileIntact(intact, async () => {
    for (const manifest of manifests) checkModels(manifest, { sql, newest });
    // Often nothing has changed, and DuckDB takes longer than all the rest.
    if (versions.size > 0 || follow) {
      isLeft = await loadVersions(context, {
        ...options,
        ...await reader(),
        zone,
        versions,
      });
    }
    await enterBatches(client, manifests);
  });
  return { rows, bytes, isLeft };
}

/** True means that there are foreign keys left to be validated. */
async function loadVersions(
  { sql, log, progress }: StageContext,
  options:
    & Reader
    & Pick<GroupWork, "client" | "zone" | "manifests" | "versions">
    & { follow: boolean },
): Promise<boolean> {
  const { client, duckdb, zone, manifests, versions, types, follow } = options;
  await checkVersions(duckdb, { zone, manifests, versions });
  const models = loadedModels(sql);
  if (follow) {
    await followModels(client, { models: await types.read(), log });
    await warnOfAbandoned(client, { models, log });
  }
  const tables = await readWarehouseTables(client, { models, types });
  const work: GroupWork = {
    ...options,
    tables,
    checks: sql.checks,
    progress,
    log,
  };
  const isFill = tables.every(({ empty, interceptors }) =>
    empty && interceptors.length === 0
  );
  if (isFill) return await bulkLoad(work);
  await mergeGroup(work);
  return false;
}

function tellLoaded(
  { log }: StageContext,
  loaded: {
    manifests: readonly ProcessedManifest[];
    rows: number;
    bytes: number;
  },
): void {
  const { manifests, rows, bytes } = loaded;
  const last = manifests.at(-1);
  log.info("batch {name}: {rows} versions, {bytes} bytes", {
    name: nameOf(manifests),
    rows,
    bytes,
    batch: last?.batch,
    snapshotTime: last?.snapshotTime,
  });
}

function nameOf(manifests: readonly ProcessedManifest[]): string {
  const first = manifests[0]?.batch ?? 0;
  const last = manifests.at(-1)?.batch ?? 0;
  return first === last ? `${first}` : `${first} to ${last}`;
}
