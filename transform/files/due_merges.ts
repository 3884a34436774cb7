import type { LiveFile } from "../../lib/batches/manifest.ts";
import type { CompactionBounds } from "../../lib/stage.ts";
import { sum } from "../../lib/batches/sum.ts";

/**
 * A reader compares each version with the keys of all files but the first one.
 * With more than this share of its rows in them, that would take as long as
 * reading them all: they are merged into it. So a row is rewritten once more
 * whenever its model's history has grown by as much.
 */
const LATER_SHARE_MAX = 0.08;

type DueBounds = Pick<
  CompactionBounds,
  "fanOut" | "bytesMax" | "laterRowsMin"
>;

/**
 * The merges that are due, lowest levels first; a file may be part of two. Each
 * takes consecutive files of one model, with the same columns where these are
 * known: `fanOut` of a level, those that no others can follow, or all of them,
 * if those after the first have too many rows for readers.
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
    due.push(...mergesOfClosed(sorted, bounds));
    if (isScattered(sorted, bounds) && isMergeable(sorted, bounds)) {
      due.push(sorted);
    }
  }
  return due.toSorted((one, other) => levelOf(one) - levelOf(other));
}

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
  return files.some((file) => isLarge(file, { bytesMax }))
    ? []
    : files.slice(0, end);
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

/**
 * Files before a large one, or before one with other columns: none will follow
 * that they could be merged with. Of each such row only one that is not large
 * stays.
 */
function mergesOfClosed(
  sorted: readonly LiveFile[],
  bounds: DueBounds,
): LiveFile[][] {
  const due: LiveFile[][] = [];
  let open: LiveFile[] = [];
  for (const file of sorted) {
    const [before] = open;
    // Files of unknown columns might never merge, and be read at each attempt.
    const mayMerge = !isLarge(file, bounds) && file.columns !== undefined;
    if (mayMerge && (before?.columns ?? file.columns) === file.columns) {
      open.push(file);
      continue;
    }
    if (open.length > 1) due.push(firstWithin(open, bounds));
    open = mayMerge ? [file] : [];
  }
  return due;
}

/** Whether few others would fit beside a file in a merge. */
function isLarge(
  { bytes }: LiveFile,
  { bytesMax }: Pick<DueBounds, "bytesMax">,
): boolean {
  return bytes > bytesMax / 2;
}

/** Whether the files after the first have too many rows for readers. */
function isScattered(
  [first, ...later]: readonly LiveFile[],
  { laterRowsMin }: DueBounds,
): boolean {
  const rows = sum(later, "rows");
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

/** The size of files together. */
export function bytesOf(files: readonly LiveFile[]): number {
  return sum(files, "bytes");
}
