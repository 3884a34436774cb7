import { messageOf, StageError } from "../lib/errors.ts";
import { sqlState } from "../lib/postgres.ts";

/** What Postgres says of a table, as an error that names the table. */
export function tableError(error: unknown, table: string): unknown {
  const state = sqlState(error);
  if (state === undefined) return error;
  const denied = state === "42501";
  return new StageError(`Cannot read "${table}": ${messageOf(error)}`, {
    subject: table,
    retryable: !denied,
    hint: denied
      ? "Grant select on the table to the source role; row-level security must not hide rows from it"
      : "Run extract again; if it persists, look into the source's log",
    cause: error,
  });
}
