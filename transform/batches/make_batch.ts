import type { ModelColumn } from "../../lib/models/model_column.ts";
import type { BatchLog } from "../../lib/batches/batch_log.ts";
import {
  LAKE_WAY_BACK,
  type LiveList,
  nextLiveFiles,
  ownFiles,
} from "../../lib/batches/live_files.ts";
import {
  type IngestionManifest,
  type LiveFile,
  type ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { type StageContext, startRun } from "../../lib/stage.ts";
import {
  type BatchContent,
  contentBefore,
  type HeldModel,
} from "./batch_work.ts";
import { groupBounds } from "./group_bounds.ts";
import { compact, compactionBounds, countDue } from "../files/compact.ts";
import type { BatchEngine } from "../engine/batch_engine.ts";
import { openBatchEngine } from "../engine/open_batch_engine.ts";
import { sqlSince, withChangedJoins } from "./continuity.ts";
import { changedTables } from "../tables/quarantine.ts";
import { manifestSha256 } from "../../lib/batches/encode_manifest.ts";
import { sum } from "../../lib/batches/sum.ts";

/** A DuckDB for the two zones, and the columns that preparing it found. */
export interface Prepared {
  duckdb: DuckDb;
  columns: ReadonlyMap<string, readonly ModelColumn[]>;
}

/**
 * Opens DuckDB at the first call and checks the SQL there, which takes longer
 * than all else that a batch needs in which nothing changed.
 */
export type Prepare = () => Promise<Prepared>;

/** Options for all batches of a run. */
export interface MakeOptions {
  input: BatchLog<IngestionManifest>;
  output: BatchLog<ProcessedManifest>;
  prepare: Prepare;
  /** A person accepts this SQL in place of that of earlier batches. */
  accept?: boolean;
  /** Merges all files that are due, ignoring a batch's bounds. */
  compactAll?: boolean;
}

/** A batch that was made but is not committed yet. */
export interface MadeBatch {
  manifest: ProcessedManifest;
  /** The live files that its manifest lists, for the next one. */
  live: LiveList;
  isExpired: () => boolean;
}

/** Makes one batch: writes its files and prepares its manifest. */
export async function makeBatch(
  context: StageContext,
  options: MakeOptions & {
    next: IngestionManifest;
    /** The batch before, committed or made, and its live files. */
    previous: ProcessedManifest | undefined;
    live: LiveList;
    held: Map<string, HeldModel>;
  },
): Promise<MadeBatch> {
  const { sql, progress } = context;
  const { output, next, held } = options;
  const processed = output.zone;
  const { batch } = next;
  const since = await sqlSince(sql, { ...options, batch });
  const previous = options.previous === undefined || since.given === undefined
    ? options.previous
    : await withChangedJoins(options.previous, { ...options, sql });
  const { runId, isExpired } = startRun(context);
  const startedAt = context.clock().toISOString();
  progress.begin(`transform ${batch}`, { rows: extractedOf(next).rows });
  await using engine = await openBatchEngine(context, {
    batch: next,
    zone: processed,
    runId,
  });
  const isMade = changedTables(next).size > 0 ||
    previous?.postponed !== undefined;
  const content = isMade
    ? await makeContent(context, { ...options, engine, previous, runId })
    : contentBefore(previous);
  // A batch that may not be committed merges nothing: the next run would repeat
  // it.
  const merged = held.size > 0
    ? options.live.files
    : await mergeFiles(context, { ...options, batch, runId });
  const { live, list } = await nextLiveFiles(processed, {
    batch,
    before: options.live,
    merged,
    own: ownFiles({ batch, models: content.models }),
    runId,
  });
  progress.end();
  const manifest = manifestOf(context, {
    next,
    previous,
    runId,
    startedAt,
    duckdb: isMade ? await duckDbVersion(options.prepare) : undefined,
    engine,
    content: { ...content, live, ...since },
  });
  return { manifest, live: list, isExpired };
}

/** Writes a batch's files, and says what is in them. */
async function makeContent(
  context: StageContext,
  options: MakeOptions & {
    next: IngestionManifest;
    previous: ProcessedManifest | undefined;
    live: LiveList;
    held: Map<string, HeldModel>;
    engine: BatchEngine | undefined;
    runId: string;
  },
): Promise<BatchContent> {
  const { config, sql, progress } = context;
  const { input, output, next, live } = options;
  // Most runs of a quiet source need none of what it loads.
  const { transformBatch } = await import("./transform_batch.ts");
  const isLarge = extractedOf(next).bytes > groupBounds(context).bytesMax;
  const shares = isLarge
    ? await (await import("../shares/find_shares.ts")).findShares(context, {
      input: next,
      processed: output.zone,
    })
    : undefined;
  return await transformBatch({
    ...options,
    ...shares === undefined ? {} : { shares },
    ...await options.prepare(),
    ingestion: input.zone,
    processed: output.zone,
    input: next,
    sql,
    progress,
    quarantineRowsMax: config.quarantineRowsMax,
    stateRowsMin: compactionBounds(context).stateRowsMin,
    earlierFiles: async (model) => {
      const files = live.files.filter((file) => file.model === model);
      await checkFiles(output.zone, files, { hint: LAKE_WAY_BACK });
      return files;
    },
  });
}

/**
 * Merges files that are due from before a batch, never its own: load finds its
 * rows in a small file.
 */
export async function mergeFiles(
  context: StageContext,
  options: MakeOptions & { live: LiveList; batch: number; runId: string },
): Promise<readonly LiveFile[]> {
  const { sql, log, signal, deadline, clock } = context;
  const { compactAll = false, live, output, prepare } = options;
  const due = { sql, bounds: compactionBounds(context), all: compactAll };
  if (countDue(due, live.files) === 0) return live.files;
  const { duckdb } = await prepare();
  return await compact({
    ...options,
    ...due,
    duckdb,
    zone: output.zone,
    secondsLeft: () =>
      deadline === undefined
        ? Infinity
        : (deadline.getTime() - clock().getTime()) / 1000,
    clock,
    log,
    signal,
  }, live.files);
}

/** The manifest of a batch that was just made. */
export function manifestOf(
  { sql, clock }: StageContext,
  made: {
    next: IngestionManifest;
    /** The checksum of its manifest, if some of that was left out. */
    inputSha256?: string;
    previous: ProcessedManifest | undefined;
    runId: string;
    startedAt: string;
    /** Its version; undefined if it made nothing. */
    duckdb: string | undefined;
    engine?: BatchEngine | undefined;
    content:
      & BatchContent
      & Pick<ProcessedManifest, "live" | "group" | "sql" | "given">;
  },
): ProcessedManifest {
  const { next, previous, runId, startedAt, duckdb, engine, content } = made;
  const about = engine?.runner.about;
  return {
    format: 1,
    stage: "transform",
    batch: next.batch,
    runId,
    lakeId: next.lakeId,
    snapshotTime: next.snapshotTime,
    committedAt: clock().toISOString(),
    engine: {
      ...duckdb === undefined ? {} : { duckdb },
      ...about === undefined ? {} : { [about.name]: about.version },
    },
    inputSha256: made.inputSha256 ?? manifestSha256(next),
    extractedAt: next.committedAt,
    extracted: extractedOf(next),
    startedAt,
    transformHash: sql.transformHash,
    keys: {
      ...previous?.keys,
      ...Object.fromEntries(sql.models.map(({ name, key }) => [name, key])),
    },
    ...content,
  };
}

export async function duckDbVersion(prepare: Prepare): Promise<string> {
  const { duckdb } = await prepare();
  const [row] = await duckdb.rows("select version() as version");
  return row?.version ?? "";
}

/** The volume that extract shipped for a batch. */
export function extractedOf(
  input: IngestionManifest,
): { rows: number; bytes: number } {
  const files = [...changedTables(input).values()]
    .flatMap((table) => [...table.rows, ...table.deletes]);
  return { rows: sum(files, "rows"), bytes: sum(files, "bytes") };
}
