import pg from "pg";
import { quoteText, type TextRow } from "../sql/quote.ts";
import { messageOf, StageError } from "../errors.ts";
import type { PostgresSettings } from "../settings/connection_url.ts";
import { SESSION_TIME_ZONE } from "../time_zone.ts";

export { serverName } from "../settings/connection_url.ts";

/** A connection that ends when it goes out of scope. */
export interface Connection extends AsyncDisposable {
  client: pg.Client;
}

/** What ended a connection, where it was no answer to a query. */
export const ENDINGS = new WeakMap<pg.Client, Error>();

/**
 * Settings on which the text of values and the reading of SQL depend: the same
 * in every transaction, whatever the role, the database or another client set.
 */
export const PINNED: Settings = {
  timezone: SESSION_TIME_ZONE,
  datestyle: "ISO, MDY",
  intervalstyle: "iso_8601",
  extra_float_digits: "1",
  bytea_output: "hex",
  lc_monetary: "C",
  xmlbinary: "base64",
  xmloption: "content",
  standard_conforming_strings: "on",
  array_nulls: "on",
  quote_all_identifiers: "off",
  transform_null_equals: "off",
  client_min_messages: "warning",
};

/** How long a transaction waits for a lock, which somebody may hold for ever. */
export const LOCK_TIMEOUT = "2min";

/** Lifts limits that would end a long transaction. */
const LIMITS: Settings = {
  statement_timeout: "0",
  idle_in_transaction_session_timeout: "1h",
  lock_timeout: LOCK_TIMEOUT,
};

/** A server's settings, by name. */
export type Settings = Readonly<Record<string, string>>;

/** SQL that sets these for the rest of the transaction only. */
export function setLocalSql(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `set local ${name} to ${quoteText(value)}`)
    .join("; ");
}

/**
 * Lifts limits that not every version has; the second forbids own views. And a
 * temporary table which another client left in a session that a pooler shares
 * comes last, not first as by default:
 * https://www.postgresql.org/docs/18/runtime-config-client.html#GUC-SEARCH-PATH
 */
const UNLIMITED = `select set_config(name, value, true)
  from (values ('transaction_timeout', '0'),
    ('restrict_nonsystem_relation_kind', ''),
    ('search_path', pg_catalog.concat_ws(', ',
      nullif(current_setting('search_path'), ''), 'pg_temp'))
  ) as unlimited (name, value)
  where current_setting(name, true) is not null`;

/** How `inTransaction` runs. */
export interface TransactionOptions {
  readOnly?: boolean;
  /** Whether all its statements see the state that the first one saw. */
  oneState?: boolean;
  /** Whether to roll back all that the work does. */
  undo?: boolean;
  /** In addition to the pinned settings, or in their place. */
  settings?: Settings;
  /** How long the server may take to begin and to commit, in milliseconds. */
  answerMs?: number;
}

/**
 * Runs work in a transaction: all of it takes effect, or nothing. Settings hold
 * for the transaction alone, so that they don't reach clients that share the
 * session behind a pooler.
 */
export async function inTransaction<Result>(
  client: pg.Client,
  options: TransactionOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  const { readOnly = false, oneState, undo, settings = {}, answerMs } = options;
  const within = answerMs === undefined ? {} : { query_timeout: answerMs };
  const isolation = oneState ? "repeatable read" : "read committed";
  const begin = `begin isolation level ${isolation}` +
    (readOnly ? " read only" : "");
  try {
    await client.query({
      text: `${begin}; ${UNLIMITED}; ${
        setLocalSql({ ...PINNED, ...LIMITS, ...settings })
      }`,
      ...within,
    });
    const result = await work();
    await client.query({ text: undo ? "rollback" : "commit", ...within });
    return result;
  } catch (error) {
    await client.query({ text: "rollback", ...within }).catch(() => {});
    throw poolingError(error, client) ?? error;
  }
}

/** What the server is shown of who is connected, and for what. */
export function applicationName(
  settings: Pick<PostgresSettings, "applicationName">,
  purpose: string,
): string {
  return settings.applicationName ?? `totesys ${purpose}`;
}

/**
 * Whether the connection leads to a pooler, which may give each transaction
 * another session of the server: LISTEN, and locks that outlive a transaction,
 * need a session and don't work there.
 */
export async function isPooled(client: pg.Client): Promise<boolean> {
  const { pid } = await queryRow(client, "select pg_backend_pid() as pid");
  const { processID } = client as pg.Client & { processID?: number | null };
  return String(processID) !== pid;
}

/** The error for a PgBouncer that gives each statement its own session. */
export function poolingError(
  error: unknown,
  { host, port, database }: {
    host: string;
    port: number;
    database?: string | undefined;
  },
): StageError | undefined {
  if (!/statement pooling mode/.test(messageOf(error))) return undefined;
  const subject = `${host}:${port}/${database}`;
  return new StageError(
    `Cannot use ${subject}: the pooler there allows no transactions`,
    {
      subject,
      hint:
        "Set the pooler's pool_mode to transaction or session, or use the database's own address",
      cause: error,
    },
  );
}

/**
 * Whether PgBouncer ended a query or a transaction because it took too long.
 * Like all errors of its own, this one has the SQLSTATE 08P01.
 */
export function isPoolerLimit(error: unknown): boolean {
  return sqlState(error) === "08P01" &&
    /^(query|(idle )?transaction) timeout/.test(messageOf(error));
}

/** What to do about `isPoolerLimit`. */
export const POOLER_LIMIT_HINT =
  "The pooler there limits how long a query or a transaction may last: lift its query_timeout, idle_transaction_timeout or transaction_timeout for this user, or use the database's own address";

/** Runs a query and returns its rows, every value as text. */
export async function query(
  client: pg.Client,
  sql: string,
  values: readonly (string | number | null | readonly string[])[] = [],
): Promise<TextRow[]> {
  const result = await client.query<TextRow>(sql, [...values]);
  return result.rows;
}

/** Runs a query that returns one row. */
export async function queryRow(
  client: pg.Client,
  sql: string,
  values: readonly (string | number | null | readonly string[])[] = [],
): Promise<TextRow> {
  const [row] = await query(client, sql, values);
  if (row === undefined) throw new Error(`No row came back from: ${sql}`);
  return row;
}

/** Whether there is a table or view of this name: `pipeline.batch`. */
export async function relationExists(
  client: pg.Client,
  name: string,
): Promise<boolean> {
  const row = await queryRow(client, "select to_regclass($1) as found", [name]);
  return row.found !== null;
}

/** The SQLSTATE of an error that Postgres sent. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}
