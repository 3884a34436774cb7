import type { BatchLog } from "../lib/batch_log.ts";
import { checkFiles } from "../lib/data_files.ts";
import type { DuckDb } from "../lib/duckdb.ts";
import { messageOf, StageError } from "../lib/errors.ts";
import {
  LAKE_WAY_BACK,
  type LiveList,
  nextLiveFiles,
  readLiveList,
} from "../lib/live_files.ts";
import {
  type DataFile,
  type IngestionManifest,
  manifestSha256,
  type ProcessedManifest,
} from "../lib/manifest.ts";
import { type StageContext, type StageResult, startRun } from "../lib/stage.ts";
import type { Zone } from "../lib/zone.ts";
import type { BatchContent, HeldModel } from "./batch_work.ts";
import { compact, COMPACTION_BOUNDS } from "./compact.ts";
import type { ModelColumn } from "./model_changes.ts";
import { changedTables } from "./quarantine.ts";
import { transformBatch } from "./transform_batch.ts";

/** A batch that was made, and is not committed yet. */
interface MadeBatch {
  manifest: ProcessedManifest;
  /** The one before it, committed or made. */
  previous: ProcessedManifest | undefined;
  /** What its manifest lists, for the next one. */
  live: LiveList;
  tooOld: () => boolean;
}

/**
 * Makes each batch that comes after `previous`, up to and with `last`, and
 * counts it in the result; ends early, and says so, when another run commits
 * one first. Gives the newest batch there is then.
 *
 * A batch that breaks a rule is committed only together with a later one that
 * mends it. Throws a `StageError` that names the rule when none of those that
 * wait does; what comes before it is committed.
 */
export async function makeBatches(
  context: StageContext,
  options: MakeOptions & {
    previous: ProcessedManifest | undefined;
    last: IngestionManifest;
    result: StageResult;
  },
): Promise<ProcessedManifest | undefined> {
  const { input, output, last, result } = options;
  const held = new Map<string, HeldModel>();
  let committed = options.previous;
  let live: LiveList | undefined;
  let made: MadeBatch[] = [];
  const first = (committed?.batch ?? 0) + 1;
  for (let batch = first; batch <= last.batch; batch++) {
    context.signal.throwIfAborted();
    const next = batch === last.batch ? last : await input.read(batch);
    live ??= await readLiveList(output, committed);
    const one = await makeBatch(context, {
      ...options,
      next,
      previous: made.at(-1)?.manifest ?? committed,
      live,
      held,
    });
    made.push(one);
    live = one.live;
    if (held.size > 0) continue;
    for (const one of made) {
      if (!await commitBatch(context, { output, made: one })) {
        result.overtaken = true;
        return committed;
      }
      committed = one.manifest;
      countIn(result, one);
    }
    made = [];
  }
  const [broken] = held.values();
  if (broken === undefined) return committed;
  await removeMade(context, { zone: output.zone, made });
  throw broken.error;
}

/** What all batches of a run are made with. */
interface MakeOptions {
  input: BatchLog<IngestionManifest>;
  output: BatchLog<ProcessedManifest>;
  /** A DuckDB for the two zones that was prepared, and what that gave. */
  duckdb: DuckDb;
  columns: ReadonlyMap<string, readonly ModelColumn[]>;
  /** Merges all files that are due, whatever the bounds of a batch. */
  compactAll?: boolean;
}

async function makeBatch(
  context: StageContext,
  options: MakeOptions & {
    next: IngestionManifest;
    /** The batch before, committed or made, and its live files. */
    previous: ProcessedManifest | undefined;
    live: LiveList;
    held: Map<string, HeldModel>;
  },
): Promise<MadeBatch> {
  const { config, sql, progress, clock } = context;
  const { input, output, next, previous, held } = options;
  const processed = output.zone;
  const { batch } = next;
  const { runId, tooOld } = startRun(context);
  const startedAt = clock().toISOString();
  const extracted = extractedOf(next);
  progress.begin(`transform ${batch}`, { rows: extracted.rows });
  const content = await transformBatch({
    ...options,
    ingestion: input.zone,
    processed,
    input: next,
    previous,
    sql,
    runId,
    progress,
    quarantineRowsMax: config.quarantineRowsMax,
    held,
    earlierFiles: async (model) => {
      const files = options.live.files.filter((file) => file.model === model);
      await checkFiles(processed, files, { hint: LAKE_WAY_BACK });
      return files;
    },
  });
  const { live, list } = await listFiles(context, {
    ...options,
    own: { batch, models: content.models },
    runId,
  });
  progress.end();
  const manifest: ProcessedManifest = {
    format: 1,
    stage: "transform",
    batch,
    runId,
    lakeId: next.lakeId,
    snapshotTime: next.snapshotTime,
    committedAt: clock().toISOString(),
    engine: { duckdb: await duckDbVersion(options.duckdb) },
    inputSha256: manifestSha256(next),
    extractedAt: next.committedAt,
    extracted,
    startedAt,
    transformHash: sql.transformHash,
    ...content,
    live,
  };
  return { manifest, previous, live: list, tooOld };
}

/**
 * Merges what is due of the files before, never of the batch's own: whoever
 * loads the batch finds its rows in a small file. What may not be committed
 * merges nothing, since the next run would do it again.
 */
async function listFiles(
  context: StageContext,
  options: MakeOptions & {
    live: LiveList;
    own: Pick<ProcessedManifest, "batch" | "models">;
    runId: string;
    held: ReadonlyMap<string, HeldModel>;
  },
) {
  const { sql, log, signal, deadline, clock } = context;
  const { output, live: before, own, runId, held } = options;
  const merged = held.size > 0 ? before.files : await compact({
    ...options,
    zone: output.zone,
    sql,
    batch: own.batch,
    bounds: { ...COMPACTION_BOUNDS, ...context.compaction },
    all: options.compactAll === true,
    secondsLeft: () =>
      deadline === undefined
        ? Infinity
        : (deadline.getTime() - clock().getTime()) / 1000,
    log,
    signal,
  }, before.files);
  return await nextLiveFiles(output.zone, { before, merged, own, runId });
}

/** Resolves to whether it was this run that committed the batch. */
async function commitBatch(
  context: StageContext,
  options: { output: BatchLog<ProcessedManifest>; made: MadeBatch },
): Promise<boolean> {
  const { log } = context;
  const { output, made: { manifest, previous, tooOld } } = options;
  const { batch, runId, quarantined } = manifest;
  if (tooOld()) {
    throw new StageError(
      `Cannot commit batch ${batch}: this run began over 12 hours ago`,
      {
        subject: output.zone.url,
        retryable: true,
        hint: "Run transform again",
      },
    );
  }
  context.signal.throwIfAborted();
  if (!await output.commit(manifest)) {
    log.warn("batch {batch} was committed by another run first", { batch });
    return false;
  }
  const rows = count(manifest, (model) => model.files[0]?.rows ?? 0);
  log.info("batch {batch}: {rows} versions in {files} models, {bytes} bytes", {
    batch,
    rows,
    files: Object.keys(manifest.models).length,
    bytes: count(manifest, (model) => model.files[0]?.bytes ?? 0),
    deletes: count(manifest, (model) => model.deletes),
    runId,
  });
  const before = previous?.quarantined ?? 0;
  if (quarantined > before) {
    log.error(
      "{quarantined} rows are in quarantine, {added} more than before: `deno task status` shows them",
      { quarantined, added: quarantined - before, batch },
    );
  }
  return true;
}

function countIn(
  result: StageResult,
  { manifest, previous }: MadeBatch,
): void {
  const added = manifest.quarantined - (previous?.quarantined ?? 0);
  if (added > 0) result.quarantined = (result.quarantined ?? 0) + added;
  result.batches.push(manifest.batch);
  result.rows += count(manifest, ({ files }) => sum(files, "rows"));
  result.bytes += count(manifest, ({ files }) => sum(files, "bytes"));
}

/** What a run wrote and could not commit: the next one writes it again. */
async function removeMade(
  { log }: StageContext,
  { zone, made }: { zone: Zone; made: readonly MadeBatch[] },
): Promise<void> {
  const keys = made.flatMap(({ manifest, live }) =>
    [
      ...live.files,
      ...Object.values(manifest.state),
      ...live.checkpoint === undefined ? [] : [live.checkpoint],
    ].map(({ key }) => key).filter((key) => key.includes(manifest.runId))
  );
  try {
    for (const key of keys) await zone.remove(key);
  } catch (error) {
    log.warn(
      "files of batches that are not committed stay until a sweep: {reason}",
      {
        reason: messageOf(error),
      },
    );
  }
}

function sum(files: readonly DataFile[], of: "rows" | "bytes"): number {
  return files.reduce((total, file) => total + file[of], 0);
}

function count(
  content: BatchContent,
  of: (model: BatchContent["models"][string]) => number,
): number {
  return Object.values(content.models).reduce(
    (sum, model) => sum + of(model),
    0,
  );
}

async function duckDbVersion(duckdb: DuckDb): Promise<string> {
  const [row] = await duckdb.rows("select version() as version");
  return row?.version ?? "";
}

/** What extract shipped for a batch. */
function extractedOf(
  input: IngestionManifest,
): { rows: number; bytes: number } {
  const files = [...changedTables(input).values()]
    .flatMap((table) => [...table.rows, ...table.deletes]);
  return { rows: sum(files, "rows"), bytes: sum(files, "bytes") };
}
