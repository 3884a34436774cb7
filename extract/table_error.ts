import { isForeign, messageOf, StageError } from "../lib/errors.ts";
import { sqlState } from "../lib/postgres.ts";

/** What comes of reading a table, as an error that names the table. */
export function tableError(error: unknown, table: string): unknown {
  if (!isForeign(error)) return error;
  const denied = sqlState(error) === "42501";
  return new StageError(`Cannot read "${table}": ${messageOf(error)}`, {
    subject: table,
    retryable: !denied,
    hint: denied
      ? "Grant select on the table to the source role; row-level security must not hide rows from it"
      : "Run extract again; if it persists, look into the source's log",
    cause: error,
  });
}

/** What comes of the rest that is asked, as an error that names the server. */
export function sourceError(error: unknown, server: string): unknown {
  if (!isForeign(error)) return error;
  return new StageError(`Cannot read ${server}: ${messageOf(error)}`, {
    subject: server,
    retryable: true,
    hint: "Run extract again; if it persists, look into the source's log",
    cause: error,
  });
}
