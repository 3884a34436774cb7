import { BatchLog } from "../lib/batches/batch_log.ts";
import { sum } from "../lib/batches/sum.ts";
import type {
  IngestedTable,
  IngestionManifest,
} from "../lib/batches/manifest.ts";
import { ConfigError } from "../lib/errors.ts";
import { serverName } from "../lib/postgres/postgres.ts";
import {
  expiredError,
  openStageZone,
  type StageContext,
  type StageResult,
  startRun,
} from "../lib/stage.ts";
import type { Zone } from "../lib/zone/zone.ts";
import { checkClock } from "./check_clock.ts";
import { limitMassDeletes } from "./limit_mass_deletes.ts";
import { checkTime } from "./check_time.ts";
import { checkDefinitions } from "./definitions.ts";
import { readShippedWriters } from "./watermark_sql.ts";
import { type LiveTable, readLiveTables } from "./live_table.ts";
import { checkTableNames, estimatedRows, planReads } from "./plan_reads.ts";
import { readTable, type TableRead } from "./read_table.ts";
import { warnOfLag } from "./replayed_time.ts";
import { openSnapshot, type Snapshot } from "./snapshot.ts";
import { nextSourceState } from "./next_source_state.ts";
import { sourceError, tableError } from "./source_error.ts";
import { waitForFlush } from "./wal_flush.ts";
import { warnOfOldWatermark } from "./watermark_age.ts";

/** Options of a single run. */
export interface ExtractOptions {
  /** Tables to read whole; `true` for all. */
  fullRead?: true | readonly string[];
  /** Lets a run delete more of a table than the configured share. */
  allowMassDelete?: boolean;
  /** Called when the batch is committed, while its snapshot is still open. */
  whileOpen?: (
    snapshot: Snapshot,
    tables: readonly LiveTable[],
  ) => Promise<void>;
}

/**
 * Finds what changed in the source since the newest batch, ships it to the
 * ingestion zone as CSV, and commits it as the next batch. If nothing changed
 * the batch is empty: it records that nothing did up to its snapshot time.
 */
export async function extract(
  context: StageContext,
  options: ExtractOptions = {},
): Promise<StageResult> {
  const { source } = context.config;
  if (source === undefined) throw new ConfigError(["SOURCE_URL is missing"]);
  checkTableNames(options, context);
  const zone = openStageZone(context, "ingestion");
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  let gaveWay: AbortSignal | undefined;
  try {
    const batches = new BatchLog<IngestionManifest>(zone, "extract");
    const previous = await batches.newest();
    const batch = (previous?.batch ?? 0) + 1;
    await batches.checkNoGap(batch);
    const run = startRun(context);
    await using snapshot = await openSnapshot(context, {
      after: previous?.snapshotTime,
      keepsLocks: options.whileOpen !== undefined,
      signal,
    });
    gaveWay = snapshot.signal;
    gaveWay.addEventListener("abort", () => failed.abort(gaveWay?.reason));
    await checkClock(snapshot, { context, zone, previous });
    warnOfLag(snapshot, context);
    const live = await snapshot.use((client) =>
      readLiveTables(client, {
        tables: context.sql.tables,
        sourceSchema: context.config.sourceSchema,
      })
    );
    reportExtraColumns(live, context);
    const manifest = await readBatch(snapshot, {
      context,
      options,
      zone,
      batch,
      previous,
      live,
      runId: run.runId,
      signal,
      abort: () => failed.abort(),
    });
    if (run.isExpired()) throw expiredError(`commit batch ${batch}`, zone.url);
    context.signal.throwIfAborted();
    const won = await batches.commit(manifest);
    const result = report(manifest, { won, context });
    if (won) await options.whileOpen?.(snapshot, live);
    return result;
  } catch (error) {
    if (gaveWay?.aborted) throw gaveWay.reason;
    throw sourceError(error, serverName(source));
  } finally {
    context.progress.end();
    zone.close();
  }
}

/** The inputs of a batch, beside its snapshot. */
interface BatchRun {
  context: StageContext;
  options: ExtractOptions;
  zone: Zone;
  batch: number;
  previous: IngestionManifest | undefined;
  live: LiveTable[];
  runId: string;
  signal: AbortSignal;
  /** Ends the other reads when one has failed. */
  abort: () => void;
}

/** Reads the tables into files of the zone; returns the batch's manifest. */
async function readBatch(
  snapshot: Snapshot,
  run: BatchRun,
): Promise<IngestionManifest> {
  const { context, options, batch, previous, live, runId, signal } = run;
  const { config, sql, log, clock } = context;
  const reads = await planReads(snapshot, { live, previous, options });
  for (const { table, fullRead } of reads) {
    if (fullRead === undefined || previous === undefined) continue;
    log.warn('"{table}" is read whole: {reason}', {
      table: table.contract.name,
      reason: fullRead,
    });
  }
  checkTime(reads, context);
  const { tables, writers } = await readTables(snapshot, reads, run);
  const { useSecond, endAndUse } = snapshot;
  const isChecked = await checkDefinitions(useSecond, { live });
  if (options.allowMassDelete !== true) {
    limitMassDeletes(tables, { previous, config });
  }
  const source = nextSourceState(snapshot, { writers, previous });
  await warnOfOldWatermark(snapshot, { source, context });
  await waitForFlush(snapshot, { previous, signal });
  // The rest needs no snapshot, and an open one holds up the source's VACUUM.
  if (options.whileOpen === undefined) {
    await snapshot[Symbol.asyncDispose]();
    if (!isChecked) await checkDefinitions(endAndUse, { live });
  }
  return {
    format: 1,
    stage: "extract",
    batch,
    runId,
    lakeId: previous?.lakeId ?? runId,
    snapshotTime: snapshot.time,
    committedAt: clock().toISOString(),
    engine: { postgres: snapshot.serverVersion, deno: Deno.version.deno },
    source,
    tables: {
      ...outOfContract(previous, sql),
      ...Object.fromEntries(tables),
    },
  };
}

/** Reads each table, and finds which transactions wrote the rows read. */
async function readTables(
  snapshot: Snapshot,
  reads: TableRead[],
  run: BatchRun,
): Promise<{ tables: [string, IngestedTable][]; writers: bigint[] }> {
  const { options, zone, batch, previous, runId, signal, abort } = run;
  const { progress } = run.context;
  progress.begin(`extract ${batch}`, await estimatedRows(snapshot, reads));
  const writers: bigint[][] = [];
  const before = previous?.source.shipped ?? [];
  const tables = await readAll(reads, {
    atOnce: snapshot.connections,
    work: async (read) => {
      const table = await readTable(snapshot, read, {
        zone,
        batch,
        runId,
        progress,
        signal,
      });
      const isShipped = table.rows.length > 0;
      const shipped = { table: read.table, isShipped, before };
      writers.push(await readShippedWriters(snapshot, shipped));
      if (options.whileOpen === undefined) {
        await snapshot.release(read.table.contract.name);
      }
      return table;
    },
    abort,
  });
  progress.end();
  return { tables, writers: writers.flat() };
}

function reportExtraColumns(live: LiveTable[], { log }: StageContext): void {
  for (const { contract, extraColumns } of live) {
    if (extraColumns.length === 0) continue;
    log.warn('"{table}" has columns that the contract leaves out: {columns}', {
      table: contract.name,
      columns: extraColumns.join(", "),
    });
  }
}

/**
 * Reads the tables in order, `atOnce` of them at a time. On the first failure
 * the other reads are ended, and waited for, before it is thrown.
 */
async function readAll(
  reads: TableRead[],
  options: {
    atOnce: number;
    work: (read: TableRead) => Promise<IngestedTable>;
    abort: () => void;
  },
): Promise<[string, IngestedTable][]> {
  let failure: { error: unknown } | undefined;
  const results: [string, IngestedTable][] = [];
  const left = reads.values();
  await Promise.all(Array.from({ length: options.atOnce }, async () => {
    for (const read of left) {
      const { name } = read.table.contract;
      try {
        results.push([name, await options.work(read)]);
      } catch (error) {
        failure ??= { error: tableError(error, name) };
        options.abort();
      }
      if (failure !== undefined) return;
    }
  }));
  if (failure !== undefined) throw failure.error;
  return results;
}

/** Keeps what is known of tables that left the contract, for their return. */
function outOfContract(
  previous: IngestionManifest | undefined,
  sql: StageContext["sql"],
): IngestionManifest["tables"] {
  const known = new Set(sql.tables.map((table) => table.name));
  const left = Object.entries(previous?.tables ?? {})
    .filter(([name]) => !known.has(name))
    .map(([name, { fullRead: _, witness: __, ...table }]) => [
      name,
      { ...table, outOfContract: true, rows: [], deletes: [] },
    ]);
  return Object.fromEntries(left);
}

function report(
  manifest: IngestionManifest,
  options: { won: boolean; context: StageContext },
): StageResult {
  const { won, context } = options;
  const { batch, snapshotTime } = manifest;
  const tables = Object.values(manifest.tables);
  const files = tables.flatMap((table) => [...table.rows, ...table.deletes]);
  const deletes = sum(tables.flatMap((table) => table.deletes), "rows");
  const rows = sum(files, "rows");
  const bytes = sum(files, "bytes");
  if (!won) {
    context.log.warn("batch {batch} was committed by another run first", {
      batch,
    });
    return {
      stage: "extract",
      batches: [],
      rows: 0,
      bytes: 0,
      overtaken: true,
    };
  }
  context.log.info(
    "batch {batch}: {rows} rows ({deletes} deletes), {bytes} bytes",
    { batch, rows, deletes, bytes, snapshotTime, runId: manifest.runId },
  );
  return { stage: "extract", batches: [batch], rows, bytes, snapshotTime };
}
