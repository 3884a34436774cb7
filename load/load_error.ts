import { isForeign, messageOf, StageError } from "../lib/errors.ts";
import { sqlState } from "../lib/postgres.ts";

/** What a loader throws, as a `StageError` that names the server. */
export function loadError(error: unknown, server: string): unknown {
  if (!isForeign(error)) return error;
  const state = sqlState(error);
  const hints: Record<string, string> = {
    "42501":
      "Give the loader's role its rights; see sql/roles/warehouse_roles.sql",
    "25006": "The server takes no writes: a standby, or set read only",
    "55P03": "Somebody holds a lock on a table for long; the next run retries",
    "53100": "The server's disk is full",
  };
  return new StageError(`Cannot load into ${server}: ${messageOf(error)}`, {
    subject: server,
    retryable: state !== "42501",
    hint: hints[state ?? ""] ??
      "Nothing of it was kept; the next run does it again",
    cause: error,
  });
}
