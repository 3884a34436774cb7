import { isForeign, messageOf, StageError } from "../lib/errors.ts";
import { sqlState } from "../lib/postgres/postgres.ts";

/** `insufficient_privilege`. */
const DENIED = "42501";

/** `configuration_limit_exceeded`: a limit of the role or the database. */
const LIMITED = "53400";

/** Turns an error from reading a table into one that names the table. */
export function tableError(error: unknown, table: string): unknown {
  return readError(error, {
    what: `"${table}"`,
    subject: table,
    deniedHint:
      "Grant select on the table to the source role; row-level security must not hide rows from it",
  });
}

/** Turns an error from any other query into one that names the server. */
export function sourceError(error: unknown, server: string): unknown {
  return readError(error, {
    what: server,
    subject: server,
    deniedHint:
      "Grant the source role the privilege that the message names: PostgreSQL grants it to all roles by default, and here it was revoked",
  });
}

function readError(
  error: unknown,
  options: { what: string; subject: string; deniedHint: string },
): unknown {
  if (!isForeign(error)) return error;
  const { what, subject, deniedHint } = options;
  const state = sqlState(error) ?? "";
  return new StageError(`Cannot read ${what}: ${messageOf(error)}`, {
    subject,
    retryable: state !== DENIED && state !== LIMITED,
    hint: state === DENIED ? deniedHint : hintFor(error),
    cause: error,
  });
}

/** What to do about an error of the source that may not occur again. */
export function hintFor(error: unknown): string {
  switch (sqlState(error)) {
    case "53200":
      if (!/shared memory/.test(messageOf(error))) {
        return "The source's server is out of memory: run extract again; if it fails at the same table, shorten its longest rows, leave their longest column out of the contract, or give the server more memory";
      }
      return "Raise max_locks_per_transaction in the source, which limits the locks of all its sessions: each partition and index of a table takes one in every connection. SOURCE_CONNECTIONS=1 needs fewest";
    case LIMITED:
      return "Raise the limit that the message names for the source role: alter role ... set temp_file_limit = ...; sorting a table's keys needs about their size in temporary files";
    case "55P03":
      return "Run extract again: another transaction has locked a table or an index; SOURCE_LOCK_TIMEOUT_SECONDS sets how long extract waits";
    default:
      return "Run extract again; if it persists, see the source's server log";
  }
}
