import { RESTORE_FILE } from "../zone/restore_hint.ts";
import { messageOf, StageError } from "../errors.ts";
import { meaningOfAnswer } from "../zone/s3_meaning.ts";

/** Why DuckDB failed, other than through the data. */
export interface DuckDbCause {
  hint: string;
  /** Whether it may go away by itself. */
  retryable: boolean;
}

/** Causes other than a damaged file, by DuckDB's messages. */
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
      "The disk is full: free some space at TEMP_DIRECTORY and where the zones are",
    retryable: true,
  },
  {
    pattern: /read-only file system/i,
    hint: "Choose a directory on a disk that can be written",
    retryable: false,
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
    hint: "The store could not be reached: the next run tries again",
    retryable: true,
  },
  {
    // Every place that it needs is allowed, as the path without its links.
    pattern: /^Permission Error: Cannot access file/,
    hint:
      "A symbolic link in the zone leads out of it, where DuckDB may not go: let the zone's URL name the place itself, or mount the disk there (mount --bind)",
    retryable: false,
  },
  {
    pattern: /permission denied|access ?denied/i,
    hint: "Check the rights of this user or role there",
    retryable: false,
  },
];

/** Errors that quote values and names, which may read like a cause. */
const OF_DATA =
  /^(Binder|Catalog|Constraint|Conversion|Invalid Input|Mismatch Type|Out of Range|Parser) Error/;

/** How messages give the status of a store's answer, and then S3's code. */
const STATUS = /\bHTTP (?:code |error )?(\d{3})\b|: (\d{3}) \(/;
const CODE = /\n(\w[\w.]*): /;
/** A file that is missing, or not as long as it was: damage. */
const OF_FILE = [404, 410, 412, 416];
/** A store that can't answer now, as one that can't be reached. */
const BUSY = [408, 429, 500, 502, 503, 504];

/** The cause, if it is memory, disk, network or rights; else undefined. */
export function duckDbCause(error: unknown): DuckDbCause | undefined {
  const message = messageOf(error);
  if (OF_DATA.test(message)) return undefined;
  const answer = STATUS.exec(message);
  const status = Number(answer?.[1] ?? answer?.[2] ?? 0);
  if (OF_FILE.includes(status)) return undefined;
  if (status > 0 && !BUSY.includes(status)) {
    const code = CODE.exec(message)?.[1] ?? (status < 400 ? "" : "unnamed");
    const { hint, retryable = false } = meaningOfAnswer({ code, status });
    return { hint, retryable };
  }
  const cause = CAUSES.find(({ pattern }) => pattern.test(message));
  return cause && { hint: cause.hint, retryable: cause.retryable };
}

/** How messages name a file that can't be written, as a temporary one. */
const NOT_WRITTEN = /could not write (?:all bytes to )?file "([^"]+)"/i;

/**
 * The error for a file that DuckDB could not read or write. Trouble with
 * memory, disk, network or rights is reported as such; any other failure to
 * read means that the file is damaged. What is read is written somewhere, too:
 * the error is about the file that DuckDB names as not written.
 */
export function dataFileError(
  error: unknown,
  options: {
    action: "read" | "write";
    /** The file or files, as DuckDB names them. */
    subject: string;
    /** The task to run again. */
    task: string;
  },
): StageError {
  const { task } = options;
  const cause = duckDbCause(error);
  const notWritten = OF_DATA.test(messageOf(error))
    ? undefined
    : NOT_WRITTEN.exec(messageOf(error))?.[1];
  const isWrite = options.action === "write" || notWritten !== undefined;
  const action = isWrite ? "write" : "read";
  const subject = options.action === "write"
    ? options.subject
    : notWritten ?? options.subject;
  return new StageError(`Cannot ${action} ${subject}: ${messageOf(error)}`, {
    subject,
    retryable: cause?.retryable ?? isWrite,
    hint: cause?.hint ??
      (isWrite
        ? `Check the free space and the rights there, then run ${task}`
        : `${RESTORE_FILE}, then run ${task}`),
    cause: error,
  });
}
