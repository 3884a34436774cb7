import type pg from "pg";
import type { BatchLog } from "../lib/batches/batch_log.ts";
import { LAKE_WAY_BACK } from "../lib/batches/live_files.ts";
import {
  allVersionsOf,
  type ProcessedManifest,
} from "../lib/batches/manifest.ts";
import { checkFiles } from "../lib/batches/check_files.ts";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { whileIntact } from "../lib/duckdb/while_intact.ts";
import { StageError } from "../lib/errors.ts";
import type { StageContext, StageResult } from "../lib/stage.ts";
import type { Zone } from "../lib/zone/zone.ts";
import { checkVersions, findVersions } from "./rows/find_versions.ts";
import { reportSchemaChanges } from "./tables/evolve_tables.ts";
import {
  type EvolvedSchema,
  evolveSchema,
  SCHEMA_UNCHANGED,
} from "./tables/evolve_schema.ts";
import {
  checkedEntry,
  type LedgerEntry,
  ledgerEntry,
  newestEntry,
} from "../lib/warehouse/ledger.ts";
import { bulkLoad, type LoadWork, mergeGroup } from "./merge_group.ts";
import { loadedModels } from "../lib/warehouse/loaded_models.ts";
import { ModelTypes } from "./tables/model_types.ts";
import type { Loader } from "./open_loader.ts";
import { validateFilled } from "./references/validate_filled.ts";
import { refillColumns } from "./repair/refill_columns.ts";
import { checkNoneEmptied } from "./tables/emptied_tables.ts";
import { readWarehouseTables } from "./tables/warehouse_table.ts";
import { checkModels } from "./tables/check_models.ts";
import { enterBatches } from "./write_ledger.ts";
import { sum } from "../lib/batches/sum.ts";

/** Up to this many pending batches, or rows, share a transaction. */
const GROUP_BATCHES_MAX = 200;
const GROUP_ROWS_MAX = 5_000_000;

/** What a transaction has loaded. */
interface LoadedGroup extends EvolvedSchema {
  rows: number;
  bytes: number;
}

/** What reads the lake's files. */
interface Reader {
  duckdb: DuckDb;
  types: ModelTypes;
}

interface GroupOptions {
  client: pg.Client;
  reader: () => Promise<Reader>;
  batches: BatchLog<ProcessedManifest>;
  newest: ProcessedManifest;
  manifests: readonly ProcessedManifest[];
  /** Whether the tables may not fit the models yet. */
  evolve: boolean;
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
  const { loader: { client }, batches, newest } = options;
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
    const { batch } = newest;
    context.log.info("nothing new: batch {batch} is the newest", { batch });
    return result;
  }
  await using opened = new AsyncDisposableStack();
  const reader = readerOf(context, { zone: batches.zone, opened });
  let least = 1;
  while (nextBatch() <= newest.batch) {
    context.signal.throwIfAborted();
    const manifests = await nextGroup(batches, {
      next: nextBatch(),
      last: newest.batch,
      least,
      most: Math.max(least, context.loadBatchesMax ?? GROUP_BATCHES_MAX),
    });
    const group = { ...options, reader, manifests, entry };
    const loaded = await tryGroup(context, group);
    context.progress.end();
    if (loaded === "overtaken") return { ...result, overtaken: true };
    if (loaded === "broken") {
      // A later batch may repair it.
      least = 2 * manifests.length;
      continue;
    }
    const last = manifests.at(-1);
    if (loaded === "outdated" || last === undefined) {
      entry = await checkedEntry(client, batches);
      continue;
    }
    least = 1;
    entry = ledgerEntry(last);
    report(context, { result, manifests, ...loaded });
    if (loaded.hasUnvalidatedKeys) {
      const models = loadedModels(context.sql).map(({ name }) => name);
      await validateFilled(context, { client, models });
    }
  }
  return result;
}

/** Opens DuckDB at the first call: most groups may not need it. */
function readerOf(
  { resources, config, sql }: StageContext,
  options: { zone: Zone; opened: AsyncDisposableStack },
): () => Promise<Reader> {
  const { zone, opened } = options;
  let reader: Promise<Reader> | undefined;
  const open = async (): Promise<Reader> => {
    const zones = [zone.url];
    const duckdb = opened.use(await resources.openDuckDb(config, { zones }));
    return { duckdb, types: new ModelTypes(duckdb, sql) };
  };
  return () => reader ??= open();
}

/**
 * Loads a group of batches in a transaction, or returns why it did not:
 * `overtaken`, another load holds the lock; `outdated`, another has loaded some
 * of them; `broken`, they break a rule, and there are later ones to try with.
 */
async function tryGroup(
  context: StageContext,
  options: Omit<GroupOptions, "client" | "evolve"> & {
    loader: Loader;
    /** The newest batch in the warehouse. */
    entry: LedgerEntry | undefined;
  },
): Promise<LoadedGroup | "overtaken" | "outdated" | "broken"> {
  const { loader, entry, manifests, newest } = options;
  const { client } = loader;
  let loaded: LoadedGroup | undefined;
  try {
    const isAlone = await loader.transaction(async () => {
      const held = await newestEntry(client);
      if (JSON.stringify(held) !== JSON.stringify(entry)) return;
      loaded = await loadGroup(context, {
        ...options,
        client,
        evolve: entry?.transformHash !== context.sql.transformHash,
      });
    });
    if (loaded !== undefined) {
      reportSchemaChanges(context.log, loaded.schemaChanges);
    }
    return isAlone ? loaded ?? "outdated" : "overtaken";
  } catch (error) {
    const isNewest = manifests.at(-1)?.batch === newest.batch;
    const isBroken = error instanceof StageError && error.dataCheck;
    if (isNewest || !isBroken) throw error;
    context.log.warn(
      "batches {name} break a rule, and are loaded together with later ones: {reason}",
      { name: nameOf(manifests), reason: error.message },
    );
    return "broken";
  }
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
  options: GroupOptions,
): Promise<LoadedGroup> {
  const { sql, progress } = context;
  const { client, reader, batches, newest, manifests, evolve } = options;
  const { zone } = batches;
  const rows = manifests.reduce((sum, one) => sum + allVersionsOf(one), 0);
  progress.begin(`load ${nameOf(manifests)}`, { rows });
  const versions = await findVersions(batches, options);
  const files = [...versions.values()].flatMap((model) => model.files);
  const bytes = sum(files, "bytes");
  const intact = checkFiles(zone, files, { hint: LAKE_WAY_BACK });
  let made = SCHEMA_UNCHANGED;
  await whileIntact(intact, async () => {
    for (const manifest of manifests) checkModels(manifest, { sql, newest });
    // Often nothing has changed, and DuckDB takes longer than all the rest.
    if (versions.size > 0 || evolve) {
      made = await loadVersions(context, {
        ...options,
        ...await reader(),
        zone,
        versions,
      });
    }
    await enterBatches(client, manifests);
  });
  return { rows, bytes, ...made };
}

async function loadVersions(
  context: StageContext,
  options:
    & Reader
    & Pick<LoadWork, "client" | "zone" | "manifests" | "versions">
    & Pick<GroupOptions, "batches" | "newest" | "evolve">,
): Promise<EvolvedSchema> {
  const { sql, log, progress } = context;
  const { client, duckdb, zone, manifests, versions, types, evolve } = options;
  await checkVersions(duckdb, { zone, manifests, versions });
  const models = loadedModels(sql);
  const batch = (manifests[0]?.batch ?? 1) - 1;
  const loaded = { ...options, batch };
  const { schemaChanges, ...changed } = evolve
    ? await evolveSchema(context, { client, types, loaded })
    : SCHEMA_UNCHANGED;
  const tables = await readWarehouseTables(client, { models, types });
  await checkNoneEmptied(options, { tables, batch });
  const work: LoadWork = {
    ...options,
    tables,
    checks: sql.checks,
    progress,
    log,
  };
  const isFill = tables.every(({ empty, interceptors }) =>
    empty && interceptors.length === 0
  );
  if (!isFill) {
    const rework = { ...options, context, allowCascade: false };
    await refillColumns(rework, { ...options, tables, schemaChanges, batch });
    await mergeGroup(work);
  }
  const filledUnvalidated = isFill && await bulkLoad(work);
  const hasUnvalidatedKeys = changed.hasUnvalidatedKeys || filledUnvalidated;
  return { hasUnvalidatedKeys, schemaChanges };
}

/** Adds what was loaded to the result, and logs it. */
function report(
  { log }: StageContext,
  loaded: {
    result: StageResult;
    manifests: readonly ProcessedManifest[];
    rows: number;
    bytes: number;
  },
): void {
  const { result, manifests, rows, bytes } = loaded;
  result.batches.push(...manifests.map((manifest) => manifest.batch));
  result.rows += rows;
  result.bytes += bytes;
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
