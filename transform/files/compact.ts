import type { Logger } from "@logtape/logtape";
import type { LiveFile } from "../../lib/batches/manifest.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { messageOf, StageError } from "../../lib/errors.ts";
import type { Model } from "../../lib/project/model.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { QUARANTINE } from "../../lib/project/quarantine_model.ts";
import type { CompactionBounds, StageContext } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { writeMerged } from "./write_merged.ts";

/**
 * Ten files become one: each row is rewritten once in ten, a hundred, a
 * thousand batches, and a year of batches every 15 minutes ends up in some 35
 * files.
 */
const FAN_OUT = 10;
/** More than one batch ever has due: each level of each model once. */
const MERGES_MAX = 1000;
/** Rewriting this many rows takes no longer than reading another file. */
const STATE_ROWS_MIN = 20_000;
/**
 * A reader compares each version with the keys of all files but the first one.
 * With more than this share of its rows in them, that would take as long as
 * reading them all: they are merged into it. So a row is rewritten once more
 * whenever its model's history has grown by as much.
 */
const LATER_SHARE_MAX = 0.08;
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

/**
 * The merges that are due, lowest levels first; a file may be part of two. Each
 * takes consecutive files of one model, with the same columns where these are
 * known: `fanOut` of a level, those that no others of their level can follow,
 * or all of them, if those after the first have too many rows for readers.
 */
export function dueMerges(
  files: readonly LiveFile[],
  bounds: DueBounds,
): LiveFile[][] {
  const due: LiveFile[][] = [];
  for (const ofModel of Map.groupBy(files, ({ model }) => model).values()) {
    const sorted = ofModel.toSorted((one, other) => one.from - other.from);
    due.push(...mergesOfLevels(sorted, bounds));
    due.push(...mergesBeforeGroups(sorted, bounds));
    if (isScattered(sorted, bounds) && isMergeable(sorted, bounds)) {
      due.push(sorted);
    }
  }
  return due.toSorted((one, other) => levelOf(one) - levelOf(other));
}

type DueBounds = Pick<
  CompactionBounds,
  "fanOut" | "bytesMax" | "laterRowsMin"
>;

/**
 * Of `fanOut` neighbours of a level that are too large together, the first that
 * are not are merged, so that files come near the limit: without that, a large
 * model would have up to `fanOut` times as many.
 */
function mergesOfLevels(
  sorted: readonly LiveFile[],
  bounds: DueBounds,
): LiveFile[][] {
  const { fanOut } = bounds;
  const due: LiveFile[][] = [];
  for (let start = 0; start + fanOut <= sorted.length;) {
    const merge = sorted.slice(start, start + fanOut);
    const within = isOneLevel(merge) && isOfSameColumns(merge)
      ? firstWithin(merge, bounds)
      : [];
    const isDue = within.length > 1;
    if (isDue) due.push(within);
    start += isDue ? within.length : 1;
  }
  return due;
}

/**
 * The first of these files that are within the limit together. One of more than
 * half of it is left alone: few others would fit beside it.
 */
function firstWithin(
  files: readonly LiveFile[],
  { bytesMax }: DueBounds,
): LiveFile[] {
  let left = bytesMax;
  const end = files.findIndex(({ bytes }) => {
    left -= bytes;
    return left < 0;
  });
  if (end === -1) return [...files];
  const isLarge = files.some(({ bytes }) => bytes > bytesMax / 2);
  return isLarge ? [] : files.slice(0, end);
}

/**
 * Files before one of a higher level, into which a group of batches was made:
 * no others of their levels will follow them. They are merged with it or, where
 * that is too large, with each other.
 */
function mergesBeforeGroups(
  sorted: readonly LiveFile[],
  bounds: DueBounds,
): LiveFile[][] {
  const due: LiveFile[][] = [];
  let start = 0;
  for (const [index, file] of sorted.entries()) {
    const isLower = ({ level }: LiveFile) => level < file.level;
    const before = sorted.slice(start, index);
    const lower = before.slice(
      before.findLastIndex((one) => !isLower(one)) + 1,
    );
    if (lower.length === 0) continue;
    const merge = [[...lower, file], lower]
      .find((some) => some.length > 1 && isMergeable(some, bounds));
    if (merge === undefined) continue;
    due.push(merge);
    start = index + 1;
  }
  return due;
}

/** Whether the files after the first have too many rows for readers. */
function isScattered(
  [first, ...later]: readonly LiveFile[],
  { laterRowsMin }: DueBounds,
): boolean {
  const rows = later.reduce((sum, one) => sum + one.rows, 0);
  return first !== undefined && rows > 0 && rows >= laterRowsMin &&
    rows >= first.rows * LATER_SHARE_MAX;
}

function isMergeable(
  files: readonly LiveFile[],
  { bytesMax }: DueBounds,
): boolean {
  return isOfSameColumns(files) && bytesOf(files) <= bytesMax;
}

/** Whether files have the same columns, as far as these are known. */
function isOfSameColumns(files: readonly LiveFile[]): boolean {
  const hashes = files.flatMap(({ columns }) => columns ?? []);
  return new Set(hashes).size <= 1;
}

/** Whether files all have the same level. */
function isOneLevel(files: readonly LiveFile[]): boolean {
  return files.every(({ level }) => level === files[0]?.level);
}

/** The highest level of files. */
function levelOf(files: readonly LiveFile[]): number {
  return Math.max(...files.map(({ level }) => level));
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
  return [...sql.models, QUARANTINE].find(({ name }) => name === file?.model);
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

function bytesOf(files: readonly LiveFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
