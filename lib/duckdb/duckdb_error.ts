import { messageOf, StageError } from "../errors.ts";

/** Why DuckDB could not do something that is no fault of the data. */
export interface DuckDbCause {
  hint: string;
  /** Whether it may pass by itself. */
  retryable: boolean;
}

/** What went wrong beside a file that is damaged, by DuckDB's messages. */
const CAUSES: readonly (DuckDbCause & { pattern: RegExp })[] = [
  {
    pattern: /^Out of Memory Error|failed to (pin|allocate|offload)|bad_alloc/i,
    hint:
      "DuckDB ran out of memory: raise DUCKDB_MEMORY_LIMIT, or lower DUCKDB_THREADS",
    retryable: true,
  },
  {
    pattern:
      /no space left|disk (is )?full|disk quota|file size limit|max_temp_directory_size/i,
    hint:
      "The disk is full: make room at TEMP_DIRECTORY and where the zones lie",
    retryable: true,
  },
  {
    pattern: /too many open files/i,
    hint: "Too many files are open: raise the limit (`ulimit -n`)",
    retryable: true,
  },
  {
    pattern: /^(INTERRUPT|Interrupt)|interrupted/i,
    hint: "It was interrupted: run it again",
    retryable: true,
  },
  {
    pattern:
      /\bHTTP (error |code )?(408|429|5\d\d)\b|: (408|429|5\d\d) \(|HTTP Error(?!.*\b404\b).*(connect|timed? ?out|curl|SSL|resolve|reset|refused)|could not (establish|connect|resolve)|connection (error|refused|reset|closed|timed out)|timeout was reached|SlowDown|ServiceUnavailable|Temporary failure/i,
    hint: "The store could not be reached: the next run tries it again",
    retryable: true,
  },
  {
    pattern: /HTTP\b.*\b(401|403)\b|permission denied|access ?denied/i,
    hint: "Check the rights of this user or role on the place",
    retryable: false,
  },
];

/** Memory, disk, network or rights, if one of them is why; else undefined. */
export function duckDbCause(error: unknown): DuckDbCause | undefined {
  const message = messageOf(error);
  const cause = CAUSES.find(({ pattern }) => pattern.test(message));
  return cause && { hint: cause.hint, retryable: cause.retryable };
}

/**
 * The error of a file that DuckDB could not read or write. What memory, disk,
 * network or rights did is told as such, and may work later; what else hinders
 * reading is damage to the file.
 */
export function dataFileError(
  error: unknown,
  options: {
    action: "read" | "write";
    /** The file or files, as DuckDB has them. */
    subject: string;
    /** The task to run again. */
    task: string;
  },
): StageError {
  const { action, subject, task } = options;
  const cause = duckDbCause(error);
  const isWrite = action === "write";
  return new StageError(`Cannot ${action} ${subject}: ${messageOf(error)}`, {
    subject,
    retryable: isWrite || cause?.retryable === true,
    hint: cause?.hint ??
      (isWrite
        ? "Check the space and the rights there; the next run does the batch again"
        : `Restore the file from the bucket's versions, then run ${task}`),
    cause: error,
  });
}
