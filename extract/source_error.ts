import { isForeign, messageOf, StageError } from "../lib/errors.ts";
import {
  isPoolerLimit,
  POOLER_LIMIT_HINT,
  sqlState,
} from "../lib/postgres/postgres.ts";

/** `insufficient_privilege`. */
const DENIED = "42501";

/** `configuration_limit_exceeded`: a limit of the role or the database. */
const LIMITED = "53400";

/**
 * SQLSTATEs, or what they begin with, of errors that the next run would meet
 * again: what isn't supported, allowed or there, a value that can't be read, a
 * limit, damage.
 */
const LASTING =
  /^(0A|22|25006|25P03|25P04|28|3D|3F|42|53400|54|55000|57P05|P0|XX001|XX002)/;

/** A value, or all that is made of it, is over PostgreSQL's limit of 1 GB. */
const TOO_LARGE = /^invalid memory alloc request size/;

const REVOKED =
  "Grant the source role the privilege that the message names: PostgreSQL grants it to all roles by default, and here it was revoked";

/** Turns an error from reading a table into one that names the table. */
export function tableError(error: unknown, table: string): unknown {
  return readError(error, {
    task: `Cannot read "${table}"`,
    subject: table,
    deniedHint:
      "Grant select on the table to the source role; if row-level security hides rows from it, let it see them (alter role ... bypassrls), or leave the table out of sql/source.sql",
  });
}

/** Turns an error from any other query into one that names the server. */
export function sourceError(error: unknown, server: string): unknown {
  return readError(error, {
    task: `Cannot read ${server}`,
    subject: server,
    deniedHint: REVOKED,
  });
}

/** Turns an error from before the first read into one that names the server. */
export function snapshotError(error: unknown, server: string): unknown {
  return readError(error, {
    task: `Cannot take a snapshot of ${server}`,
    subject: server,
    deniedHint: REVOKED,
  });
}

function readError(
  error: unknown,
  options: { task: string; subject: string; deniedHint: string },
): unknown {
  if (!isForeign(error)) return error;
  const { task, subject, deniedHint } = options;
  const state = sqlState(error) ?? "";
  return new StageError(`${task}: ${messageOf(error)}`, {
    subject,
    retryable: !LASTING.test(state) && !isPoolerLimit(error) &&
      !TOO_LARGE.test(messageOf(error)),
    hint: state === DENIED ? deniedHint : hintFor(error),
    cause: error,
  });
}

/** What to do about an error of the source that may not occur again. */
function hintFor(error: unknown): string {
  if (TOO_LARGE.test(messageOf(error))) {
    return "PostgreSQL can't send a value of that length: shorten it in the source, or leave the table's longest column out of the contract";
  }
  switch (sqlState(error)) {
    case "53200":
      if (!/shared memory/.test(messageOf(error))) {
        return "The source's server is out of memory: run extract again; if it fails at the same table, shorten its longest rows, leave their longest column out of the contract, or give the server more memory";
      }
      return "Raise max_locks_per_transaction in the source, which limits the locks of all its sessions: each partition and index of a table takes one in every connection. SOURCE_CONNECTIONS=1 needs fewest";
    case "53100":
      return "The disk of the source's server is full: free some of it. Sorting a table's keys needs about their size in temporary files there";
    case LIMITED:
      return "Raise the limit that the message names for the source role: alter role ... set temp_file_limit = ...; sorting a table's keys needs about their size in temporary files";
    case "55P03":
      return "Run extract again: another transaction has locked a table or an index; SOURCE_LOCK_TIMEOUT_SECONDS sets how long extract waits";
    case "0A000":
      if (/during recovery/.test(messageOf(error))) {
        return "A standby has no rows of an unlogged table: let SOURCE_URL name the primary, or have the table logged (alter table ... set logged)";
      }
      return "The source does not support it, as the message says; its server log may say more";
    case "25P03":
    case "25P04":
      return "The source role, the database or a pooler limits how long a transaction may last, and did so before extract could lift it: lift that (alter role ... set transaction_timeout to 0)";
    case "40001":
      return "Run extract again. If a standby cancels it each time: raise max_standby_streaming_delay there, set hot_standby_feedback to on, or let SOURCE_URL name the primary";
    case "72000":
      return "Run extract again at a quieter time, or raise old_snapshot_threshold in the source";
    case "57P05":
      return "The source role or the database is limited by idle_session_timeout: lift it";
    case "08P01":
      if (isPoolerLimit(error)) return POOLER_LIMIT_HINT;
      return "Run extract again; if it persists, see the log of the pooler before the source";
    case undefined:
      return "Run extract again; if it persists, see the source's server log, and that of a pooler before it, whose query_timeout may end a COPY without a message";
    default:
      return LASTING.test(sqlState(error) ?? "")
        ? "Repair in the source what the message names: the next run would meet it again. The source's server log may say more"
        : "Run extract again; if it persists, see the source's server log";
  }
}
