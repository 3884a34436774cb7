import { BatchLog } from "../lib/batches/batch_log.ts";
import type {
  IngestedTable,
  IngestionManifest,
  SourceState,
} from "../lib/batches/manifest.ts";
import { ConfigError, StageError } from "../lib/errors.ts";
import { query, serverName } from "../lib/postgres/postgres.ts";
import {
  openStageZone,
  type StageContext,
  type StageResult,
  startRun,
} from "../lib/stage.ts";
import { sha256Hex } from "../lib/zone/checksum.ts";
import { probeCanary } from "./canary.ts";
import { checkClock } from "./check_clock.ts";
import { checkTime } from "./check_time.ts";
import { checkDefinitions } from "./definitions.ts";
import {
  canaryFullReadReason,
  checkKey,
  isSameTable,
  type ProbedCanary,
  sourceFullReadReason,
  tableFullReadReason,
} from "./full_read.ts";
import { type LiveTable, readLiveTables } from "./live_table.ts";
import { readTable, type TableRead } from "./read_table.ts";
import { isSameDatabase, UNKNOWN } from "./server_state.ts";
import { openSnapshot, type Snapshot } from "./snapshot.ts";
import { sourceError, tableError } from "./table_error.ts";
import watermarkHoldersSql from "./watermark_holders.sql" with { type: "text" };
import { readShippedWriters, toRanges, unshippedSql } from "./writers.ts";

/** What a person may ask of one run. */
export interface ExtractOptions {
  /** Tables to read whole; `true`: all. */
  fullRead?: true | readonly string[];
  /** Lets a run delete more of a table than the configured share. */
  allowMassDelete?: boolean;
  /** Called when the batch is committed, while its snapshot is still open. */
  whileOpen?: (
    snapshot: Snapshot,
    tables: readonly LiveTable[],
  ) => Promise<void>;
}

const FENCE_AGE_MS_MAX = 3_600_000;
/** So many databases that the source was before are remembered. */
const EARLIER_MAX = 20;
/** The share is not asked about for fewer deletes than this. */
const MASS_DELETE_ROWS_MIN = 10;

/**
 * Finds what changed in the source since the newest batch, ships it to the
 * ingestion zone as CSV, and commits it as the next batch. When nothing
 * changed the batch is empty, and still says so up to its snapshot time.
 */
export async function extract(
  context: StageContext,
  options: ExtractOptions = {},
): Promise<StageResult> {
  const { config, sql, log, progress, clock } = context;
  if (config.source === undefined) {
    throw new ConfigError(["SOURCE_URL is missing"]);
  }
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
    const { runId, isExpired } = startRun(context);
    await using snapshot = await openSnapshot(context, {
      after: previous?.snapshotTime,
      signal,
    });
    gaveWay = snapshot.signal;
    gaveWay.addEventListener("abort", () => failed.abort(gaveWay?.reason));
    await checkClock(snapshot, { context, zone, previous });
    const live = await snapshot.use((client) =>
      readLiveTables(client, {
        tables: sql.tables,
        sourceSchema: config.sourceSchema,
      })
    );
    reportExtraColumns(live, context);
    const reads = await planReads(snapshot, { live, previous, options });
    for (const { table, fullRead } of reads) {
      if (fullRead === undefined || previous === undefined) continue;
      log.warn('"{table}" is read whole: {reason}', {
        table: table.contract.name,
        reason: fullRead,
      });
    }
    checkTime(reads, context);
    progress.begin(`extract ${batch}`, await expectedRows(snapshot, reads));
    const writers: bigint[] = [];
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
        writers.push(...await readShippedWriters(snapshot, read.table));
        if (options.whileOpen === undefined) {
          await snapshot.release(read.table.contract.name);
        }
        return table;
      },
      abort: () => failed.abort(),
    });
    progress.end();
    await checkDefinitions(snapshot, { live });
    checkDeletes(tables, { previous, config, options });
    const source = nextSourceState(snapshot, { writers, previous });
    await warnOfOldWatermark(snapshot, { source, context });
    // What is left to do needs no snapshot, which holds up the source's VACUUM.
    if (options.whileOpen === undefined) await snapshot[Symbol.asyncDispose]();
    const manifest: IngestionManifest = {
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
    if (isExpired()) {
      throw new StageError(
        `Cannot commit batch ${batch}: this run began over 12 hours ago`,
        { subject: zone.url, retryable: true, hint: "Run extract again" },
      );
    }
    context.signal.throwIfAborted();
    const won = await batches.commit(manifest);
    const result = report(manifest, { won, context });
    if (won) await options.whileOpen?.(snapshot, live);
    return result;
  } catch (error) {
    if (gaveWay?.aborted) throw gaveWay.reason;
    throw sourceError(error, serverName(config.source));
  } finally {
    progress.end();
    zone.close();
  }
}

function checkTableNames(options: ExtractOptions, context: StageContext): void {
  if (options.fullRead === undefined || options.fullRead === true) return;
  const known = context.sql.tables.map((table) => table.name);
  const unknown = options.fullRead.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new ConfigError(
    unknown.map((name) =>
      `--full names "${name}", which is no table of sql/source.sql`
    ),
  );
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

/** Decides for each table whether it is read whole, and why. */
async function planReads(
  snapshot: Snapshot,
  plan: {
    live: LiveTable[];
    previous: IngestionManifest | undefined;
    options: ExtractOptions;
  },
): Promise<TableRead[]> {
  const { previous, options } = plan;
  // What is read first is let go of first: the small ones, so that all but the
  // largest is locked for a short time, and that by all connections at last.
  const order = new Map(snapshot.tables.map((name, index) => [name, index]));
  const place = ({ contract }: LiveTable) => order.get(contract.name) ?? 0;
  const live = plan.live.toSorted((a, b) => place(a) - place(b));
  const ofSource = previous === undefined
    ? undefined
    : sourceFullReadReason(snapshot, {
      previous,
      asked: options.fullRead === true,
    }) ??
      await canaryReason(snapshot, { live, previous });
  return live.map((table) => {
    const { name, columns, key } = table.contract;
    const before = previous?.tables[name];
    if (before !== undefined) checkKey(table, before);
    const contractHash = sha256Hex(JSON.stringify({ name, columns, key }));
    const asked = options.fullRead === true || options.fullRead?.includes(name);
    const fullRead = asked
      ? "it was asked for"
      : ofSource ?? tableFullReadReason(table, {
        previous: before,
        contractHash,
      });
    return {
      table,
      contractHash,
      previous: before,
      fullRead,
      unshippedSql: unshippedSql({
        watermark: BigInt(previous?.source.fence ?? 0),
        shipped: previous?.source.shipped ?? [],
        nextId: snapshot.nextId,
      }),
    };
  });
}

async function canaryReason(
  snapshot: Snapshot,
  options: { live: LiveTable[]; previous: IngestionManifest },
): Promise<string | undefined> {
  const { live, previous } = options;
  const probed: ProbedCanary[] = [];
  for (const table of live) {
    const { name } = table.contract;
    const before = previous.tables[name];
    // A table that is another one by now tells nothing of the source.
    if (before?.witness === undefined) continue;
    if (!isSameTable(table, before)) continue;
    const canary = before.witness;
    const state = await snapshot.use((client) =>
      probeCanary(client, {
        table,
        canary,
        watermark: BigInt(previous.source.fence),
        nextId: snapshot.nextId,
      }), name).catch((error) => {
        throw tableError(error, name);
      });
    probed.push({ table: name, canary, state });
  }
  return canaryFullReadReason(probed);
}

/** About how many rows a first read will copyToZone, for the time that is left. */
async function expectedRows(
  snapshot: Snapshot,
  reads: TableRead[],
): Promise<{ rows: number } | undefined> {
  if (reads.some((read) => read.fullRead === undefined)) return undefined;
  const rows = await snapshot.use((client) =>
    query(
      client,
      `select coalesce(sum(greatest(reltuples, 0)), 0)::bigint as rows
      from pg_class where oid = any($1::oid[])`,
      [reads.flatMap(({ table }) => table.parts.map((part) => part.oid))],
    )
  );
  const estimate = Number(rows[0]?.rows);
  return estimate > 0 ? { rows: estimate } : undefined;
}

/**
 * Reads the tables in their order, `atOnce` of them at a time. On the first failure the
 * others are ended, and waited for, before it is thrown.
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

/** A truncated source is more often an accident than meant. */
function checkDeletes(
  tables: [string, IngestedTable][],
  options: {
    previous: IngestionManifest | undefined;
    config: StageContext["config"];
    options: ExtractOptions;
  },
): void {
  const { previous, config } = options;
  if (options.options.allowMassDelete === true) return;
  for (const [name, table] of tables) {
    const { digest, sourceRows: before = 0 } = previous?.tables[name] ?? {};
    const listed = sum(table.deletes.map((file) => file.rows));
    // Keys that were declared differently don't compare: their number does.
    const deleted = digest?.key === table.digest.key
      ? listed
      : Math.max(listed, before - table.sourceRows);
    if (deleted < MASS_DELETE_ROWS_MIN) continue;
    if (deleted <= before * config.deleteShareMax) continue;
    throw new StageError(
      `Cannot take over the deletes of "${name}": ${deleted} of its ${before} rows are gone, more than the share of ${config.deleteShareMax} that is allowed`,
      {
        subject: name,
        dataCheck: true,
        hint:
          "If they were meant to go, run extract once with --allow-mass-delete; if not, restore the source",
      },
    );
  }
}

/** What is known of tables that the contract had once, for their return. */
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

function nextSourceState(
  snapshot: Snapshot,
  options: { writers: bigint[]; previous: IngestionManifest | undefined },
): SourceState {
  const { writers, previous } = options;
  const { watermark, nextId } = snapshot;
  const stands = previous?.source.fence === String(watermark);
  const moved = previous !== undefined &&
    !isSameDatabase(previous.source.databaseId, snapshot.databaseId);
  // What the source doesn't tell any more is still so.
  const databaseId = !moved && snapshot.databaseId.includes(UNKNOWN)
    ? previous?.source.databaseId ?? snapshot.databaseId
    : snapshot.databaseId;
  const earlier = [
    ...previous?.source.earlier ?? [],
    ...moved ? [previous.source.databaseId] : [],
  ].filter((id) => id !== databaseId);
  return {
    databaseId,
    earlier: [...new Set(earlier)].slice(-EARLIER_MAX),
    timeline: snapshot.timeline || (moved ? 0 : previous?.source.timeline ?? 0),
    fence: String(watermark),
    fenceSince: stands ? previous.source.fenceSince : snapshot.time,
    nextId: String(nextId),
    shipped: toRanges(writers),
  };
}

async function warnOfOldWatermark(
  snapshot: Snapshot,
  options: { source: SourceState; context: StageContext },
): Promise<void> {
  const { source, context } = options;
  const ageMs = Date.parse(snapshot.time) - Date.parse(source.fenceSince);
  if (ageMs < FENCE_AGE_MS_MAX) return;
  const holders = await snapshot.use((client) =>
    query(client, watermarkHoldersSql, [source.fence])
  );
  context.log.warn(
    "The xmin watermark has stood still for {minutes} minutes, held back by {holders}: each run scans more rows until that transaction ends",
    {
      minutes: Math.round(ageMs / 60_000),
      holders: holders.map((row) => row.holder).join("; ") ||
        "a transaction that this role may not see",
    },
  );
}

function report(
  manifest: IngestionManifest,
  options: { won: boolean; context: StageContext },
): StageResult {
  const { won, context } = options;
  const { batch, snapshotTime } = manifest;
  const files = Object.values(manifest.tables).flatMap((table) => [
    ...table.rows,
    ...table.deletes,
  ]);
  const deletes = sum(
    Object.values(manifest.tables).flatMap((table) =>
      table.deletes.map((file) => file.rows)
    ),
  );
  const rows = sum(files.map((file) => file.rows));
  const bytes = sum(files.map((file) => file.bytes));
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

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
