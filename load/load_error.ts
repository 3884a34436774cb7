import { isForeign, messageOf, StageError } from "../lib/errors.ts";
import { quoteName, sqlState } from "../lib/postgres/postgres.ts";

/** What a person is told to do, and whether time alone may help. */
export interface Advice {
  retryable: boolean;
  hint: string;
}

const AGAIN = "Nothing of it was kept; the next run does it again";
const DEPENDENTS =
  "Drop what it names, run it again, and make that again afterwards";
const LIMITED =
  "The role, the database or a pooler limits how long a transaction takes: lift it (alter role ... set transaction_timeout to 0)";

/** The way out that is left where a warehouse takes no such value. */
export const SET_ASIDE =
  "set such rows aside in sql/quarantine, then `deno task rebuild processed` and `deno task rebuild warehouse`";
const NO_TEXT =
  `The encoding UTF8 has no text for what it names, such as the character 0: ${SET_ASIDE}`;
const REFUSED =
  "A trigger, a function or a policy in the warehouse refused it, as the message says: change or drop that";

/** By an SQLSTATE, or its class: its first two characters. */
const ADVICE: Readonly<Record<string, Advice>> = {
  "0A": { retryable: false, hint: DEPENDENTS },
  "2BP01": { retryable: false, hint: DEPENDENTS },
  "22": {
    retryable: false,
    hint:
      `The warehouse's column can't hold what the model gives: give it a wider type by a migration in sql/warehouse, or ${SET_ASIDE}`,
  },
  // A warehouse in another encoding was refused before.
  "22021": { retryable: false, hint: NO_TEXT },
  "22P05": { retryable: false, hint: NO_TEXT },
  "23": {
    retryable: false,
    hint:
      "The warehouse's tables don't take it: `deno task verify` says what differs, `deno task rebuild warehouse` makes them again",
  },
  "23502": {
    retryable: false,
    hint:
      "Fill the column in the model, or let the warehouse's be null by a migration in sql/warehouse",
  },
  "23514": {
    retryable: false,
    hint:
      `Drop the constraint, or make the partition that is missing, by a migration in sql/warehouse; or ${SET_ASIDE}`,
  },
  "23503": {
    retryable: false,
    hint:
      "A reference to a row that is not there: load makes a placeholder only for a foreign key of one column to a dimension's key. Drop the one that it names, or let it be such a one, by a migration in sql/warehouse",
  },
  "23505": {
    retryable: false,
    hint:
      "If the index that it names is your own, drop it: deleted rows stay in a dimension, and older versions in a fact. If sql/warehouse made it, the table was changed by others: `deno task verify` says what differs, and `deno task rebuild warehouse` mends it",
  },
  "21": { retryable: false, hint: REFUSED },
  "09": { retryable: false, hint: REFUSED },
  "27": { retryable: false, hint: REFUSED },
  "2F": { retryable: false, hint: REFUSED },
  "38": { retryable: false, hint: REFUSED },
  "39": { retryable: false, hint: REFUSED },
  "44": { retryable: false, hint: REFUSED },
  "P0": { retryable: false, hint: REFUSED },
  "25006": {
    retryable: true,
    hint:
      "The server takes no writes: a standby, or set read only (default_transaction_read_only)",
  },
  "25P03": { retryable: false, hint: LIMITED },
  "25P04": { retryable: false, hint: LIMITED },
  "3D000": {
    retryable: false,
    hint: "Make the database, or mend WAREHOUSE_URL",
  },
  "3F000": {
    retryable: false,
    hint: "Make the schema that the role's search_path names first",
  },
  "42": {
    retryable: false,
    hint:
      "The warehouse is not as the migrations in sql/warehouse made it: undo what was changed there",
  },
  "42501": {
    retryable: false,
    hint:
      "Give the loader's role its rights; see sql/roles/warehouse_roles.sql. Of tables with row security it must see all rows: alter table ... no force row level security, or alter role ... bypassrls",
  },
  "53100": {
    retryable: true,
    hint: "The server's disk is full: free some of it",
  },
  "53400": {
    retryable: false,
    hint:
      "The role or the database is limited, as by temp_file_limit, which only a superuser can raise",
  },
  "54": {
    retryable: false,
    hint: "Postgres can't hold a row that wide: give the model fewer columns",
  },
  "55000": {
    retryable: false,
    hint:
      "What it names is not ready for it: a table that is published needs a replica identity, for one",
  },
  "55P03": {
    retryable: true,
    hint: "Somebody holds a lock on a table for long; the next run retries",
  },
  "57014": {
    retryable: true,
    hint:
      "Somebody cancelled it, or a limit of time did; nothing was kept, and the next run does it again",
  },
  "57P05": {
    retryable: false,
    hint:
      "The role or the database is limited by idle_session_timeout: lift it",
  },
  "F0": {
    retryable: false,
    hint: "The server can't read its settings: look into its log",
  },
  "XX": { retryable: false, hint: "Look into the server's log" },
};

/** What to do about an error that a load met. */
export function adviceOn(error: unknown): Advice {
  const state = sqlState(error) ?? "";
  return ADVICE[state] ?? ADVICE[state.slice(0, 2)] ??
    { retryable: true, hint: AGAIN };
}

/** What a loader throws, as a `StageError` that names the server. */
export function loadError(error: unknown, server: string): unknown {
  if (!isForeign(error)) return error;
  return new StageError(`Cannot load into ${server}: ${messageOf(error)}`, {
    subject: server,
    ...adviceOn(error),
    cause: error,
  });
}

/** What a loader throws where the table of a model takes no such row. */
export function refusalOf(error: unknown, model: string): unknown {
  if (!isForeign(error) || sqlState(error)?.startsWith("23") !== true) {
    return error;
  }
  return new StageError(
    `Cannot load ${quoteName(model)}: ${messageOf(error)}`,
    { subject: quoteName(model), ...adviceOn(error), cause: error },
  );
}
