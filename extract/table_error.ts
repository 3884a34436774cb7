import { isForeign, messageOf, StageError } from "../lib/errors.ts";
import { sqlState } from "../lib/postgres/postgres.ts";

/** `insufficient_privilege`. */
const DENIED = "42501";

/** `configuration_limit_exceeded`: a limit of the role or the database. */
const LIMITED = "53400";

/** What comes of reading a table, as an error that names the table. */
export function tableError(error: unknown, table: string): unknown {
  return readError(error, {
    what: `"${table}"`,
    subject: table,
    deniedHint:
      "Grant select on the table to the source role; row-level security must not hide rows from it",
  });
}

/** What comes of the rest that is asked, as an error that names the server. */
export function sourceError(error: unknown, server: string): unknown {
  return readError(error, {
    what: server,
    subject: server,
    deniedHint:
      "Grant the source role what the message names: PostgreSQL gives it to all roles, somebody has revoked it",
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

/** What to do about an error of the source that the next run may be spared. */
export function hintFor(error: unknown): string {
  switch (sqlState(error)) {
    case "53200":
      if (!/shared memory/.test(messageOf(error))) {
        return "The source's server has no memory for it: run extract again; if it names the same table again, shorten its longest rows, leave their longest column out of the contract, or give the server more memory";
      }
      return "Raise max_locks_per_transaction in the source, which bounds the locks of all its sessions: a table's partitions and indexes take one each in every connection. SOURCE_CONNECTIONS=1 needs fewest";
    case LIMITED:
      return "Raise the limit that the message names for the source role: alter role ... set temp_file_limit = ...; what a table's keys are sorted in needs about their size";
    case "55P03":
      return "Run extract again: it gave way to who has locked a table or an index; SOURCE_LOCK_TIMEOUT_SECONDS says how long it waits";
    default:
      return "Run extract again; if it persists, look into the source's log";
  }
}
