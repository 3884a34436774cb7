import type { Logger } from "@logtape/logtape";
import type { LiveFile } from "../../lib/batches/manifest.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { messageOf, StageError } from "../../lib/errors.ts";
import type { Model } from "../../lib/project/model.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { loadedModels } from "../../lib/warehouse/loaded_models.ts";
import type { CompactionBounds, StageContext } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { bytesOf, dueMerges } from "./due_merges.ts";
import { writeMerged } from "./write_merged.ts";

/**
 * Ten files become one: each row is rewritten once in ten, a hundred, a
 * thousand batches, and a year of batches every 15 minutes is in 40 files at
 * most.
 */
const FAN_OUT = 10;
/** More than one batch ever has due: each level of each model once. */
const MERGES_MAX = 1000;
/** Rewriting this many rows takes no longer than reading another file. */
const STATE_ROWS_MIN = 20_000;
/** Fewer rows than this are compared in some milliseconds. */
const LATER_ROWS_MIN = 100_000;
/** Larger files are left alone even where everything due is merged. */
const LARGE_BYTES_MIN = 1_000_000_000;
/**
 * Slower than any machine merges: a merge that would not end in time isn't
 * started.
 */
const BYTES_PER_SECOND_MIN = 2_000_000;
/** More levels than any lake has. */
const PASSES_MAX = 32;

/** The inputs of a merge. */
export interface CompactionWork {
  duckdb: DuckDb;
  zone: Zone;
  sql: ProjectSql;
  /** The number of the batch that lists the merged files. */
  batch: number;
  runId: string;
  bounds: CompactionBounds;
  /** Merges everything that is due, ignoring a batch's bounds. */
  all: boolean;
  /** The time until the run is aborted, if known. */
  secondsLeft: () => number;
  clock: () => Date;
  log: Logger;
  signal: AbortSignal;
}

/** The most that a batch merges by itself, from the settings. */
export function compactionBounds(
  { config, compaction }: Pick<StageContext, "config" | "compaction">,
): CompactionBounds {
  return {
    fanOut: FAN_OUT,
    bytesMax: config.compactionBytesMax,
    secondsMax: config.compactionSecondsMax,
    mergesMax: MERGES_MAX,
    laterRowsMin: LATER_ROWS_MIN,
    stateRowsMin: STATE_ROWS_MIN,
    ...compaction,
  };
}

/**
 * Merges live files and returns the new list. A merged file is written beside
 * those it replaces, which stay until no manifest needs them. A merge that
 * fails for lack of memory, disk or network is left to the next batch, since no
 * batch may wait for it. Throws a `StageError` if a file is missing or damaged,
 * or a merge loses or changes rows.
 */
export async function compact(
  work: CompactionWork,
  files: readonly LiveFile[],
): Promise<readonly LiveFile[]> {
  let left = files;
  for (let pass = 0; pass < (work.all ? PASSES_MAX : 1); pass++) {
    const merges = await mergeDue(work, left);
    if (merges.length === 0) break;
    const replaced = new Set(merges.flatMap((merge) => merge.replaced));
    left = [
      ...left.filter((file) => !replaced.has(file)),
      ...merges.map(({ file }) => file),
    ];
  }
  return left;
}

/** Makes the merges that are due and within the bounds. */
async function mergeDue(
  work: CompactionWork,
  files: readonly LiveFile[],
): Promise<{ file: LiveFile; replaced: readonly LiveFile[] }[]> {
  const { bounds, all, secondsLeft, clock, signal } = work;
  const start = clock().getTime();
  const merges: { file: LiveFile; replaced: readonly LiveFile[] }[] = [];
  const gone = new Set<LiveFile>();
  let bytes = 0;
  for (const replaced of dueMerges(files, boundsOf(work))) {
    if (replaced.some((one) => gone.has(one))) continue;
    const model = modelOf(work, replaced);
    const size = bytesOf(replaced);
    const seconds = (clock().getTime() - start) / 1000;
    const isWithin = all ||
      seconds < bounds.secondsMax && merges.length < bounds.mergesMax &&
        bytes + size <= bounds.bytesMax;
    const isInTime = size / BYTES_PER_SECOND_MIN <= secondsLeft();
    if (model === undefined || !isWithin || !isInTime) continue;
    signal.throwIfAborted();
    const file = await tryMerge(work, { merge: replaced, model });
    if (file === undefined) continue;
    merges.push({ file, replaced });
    for (const one of replaced) gone.add(one);
    bytes += size;
  }
  return merges;
}

/** Counts all merges that are due, for a run with no batch to make. */
export function countDue(
  work: Pick<CompactionWork, "bounds" | "all" | "sql">,
  files: readonly LiveFile[],
): number {
  return dueMerges(files, boundsOf(work))
    .filter((merge) => modelOf(work, merge) !== undefined).length;
}

function boundsOf({ bounds, all }: Pick<CompactionWork, "bounds" | "all">) {
  return all
    ? { ...bounds, bytesMax: Math.max(bounds.bytesMax, LARGE_BYTES_MIN) }
    : bounds;
}

/** Undefined for a model no longer in `sql/`: its files stay unchanged. */
function modelOf(
  { sql }: Pick<CompactionWork, "sql">,
  [file]: readonly LiveFile[],
): Pick<Model, "key"> | undefined {
  return loadedModels(sql).find(({ name }) => name === file?.model);
}

/**
 * Undefined if the files' columns differ, or the merge fails for a reason that
 * is neither damage nor its own fault: no batch waits for a merge.
 */
async function tryMerge(
  work: CompactionWork,
  options: { merge: readonly LiveFile[]; model: Pick<Model, "key"> },
): Promise<LiveFile | undefined> {
  try {
    return await writeMerged(work, options);
  } catch (error) {
    if (error instanceof StageError && !error.retryable) throw error;
    work.log.warn(
      "files of {model} will be merged with a later batch: {reason}",
      {
        model: options.merge[0]?.model,
        reason: messageOf(error),
      },
    );
    return undefined;
  }
}
