import pg from "pg";
import { messageOf, StageError } from "../errors.ts";
import {
  type PostgresSettings,
  serverName,
} from "../settings/connection_url.ts";
import { readTlsFiles } from "../settings/tls_files.ts";
import { connectError } from "./connect_error.ts";

export { serverName } from "../settings/connection_url.ts";

const CONNECT_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_DELAY_MS = 10_000;
const END_TIMEOUT_MS = 2_000;

/** A connection that ends when it goes out of scope. */
export interface Connection extends AsyncDisposable {
  client: pg.Client;
}

/** What a connection is for. */
export interface ConnectOptions {
  purpose: string;
  signal?: AbortSignal | undefined;
}

/** A value of the database as text, the only form in which it is passed on. */
export type TextRow = Record<string, string | null>;

/** What ended a connection, where it was no answer to a query. */
const ENDINGS = new WeakMap<pg.Client, Error>();

/**
 * Connects; throws a `StageError` that names the server, never the password, or
 * a `ConfigError` if the file of a certificate or key can't be read. Every
 * value comes back as text, so that none goes through a JavaScript date or
 * number. Nothing is set on the session, which others share behind a pooler:
 * `inTransaction` pins how values are written.
 */
export async function connect(
  settings: PostgresSettings,
  options: ConnectOptions,
): Promise<Connection> {
  const client = new pg.Client({
    host: settings.host,
    port: settings.port,
    database: settings.database,
    user: settings.user,
    password: settings.password,
    ssl: settings.tls === false
      ? false
      : readTlsFiles(settings.tls, { server: serverName(settings) }),
    application_name: applicationName(settings, options.purpose),
    ...(settings.options === undefined ? {} : { options: settings.options }),
    connectionTimeoutMillis: settings.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    keepAlive: settings.keepAlive ?? true,
    keepAliveInitialDelayMillis: settings.keepAliveDelayMs ??
      KEEP_ALIVE_DELAY_MS,
    types: { getTypeParser: () => (text: string) => text },
  });
  // A connection that dies between queries reports it here; it is handled
  // where the next query throws.
  client.on("error", (error) => {
    if (!ENDINGS.has(client)) ENDINGS.set(client, error);
  });
  try {
    await client.connect();
    await checkTarget(client, settings);
  } catch (error) {
    await end(client);
    throw error instanceof StageError ? error : connectError(error, settings);
  }
  if (options.signal?.aborted) {
    await end(client);
    options.signal.throwIfAborted();
  }
  const stop = () => void end(client);
  options.signal?.addEventListener("abort", stop, { once: true });
  return {
    client,
    [Symbol.asyncDispose]: async () => {
      options.signal?.removeEventListener("abort", stop);
      await end(client);
    },
  };
}

/**
 * Settings on which the text of values and the reading of SQL depend: the same
 * in every transaction, whatever the role, the database or another client set.
 */
export const PINNED: Settings = {
  timezone: "UTC",
  datestyle: "ISO, MDY",
  intervalstyle: "iso_8601",
  extra_float_digits: "1",
  bytea_output: "hex",
  lc_monetary: "C",
  xmlbinary: "base64",
  xmloption: "content",
  standard_conforming_strings: "on",
  quote_all_identifiers: "off",
  transform_null_equals: "off",
  client_min_messages: "warning",
};

/** Lifts limits that would end a long transaction. */
const LIFTED: Settings = {
  statement_timeout: "0",
  idle_in_transaction_session_timeout: "1h",
};

/** A server's settings, by name. */
export type Settings = Readonly<Record<string, string>>;

/** SQL that sets these for the rest of the transaction only. */
export function setLocalSql(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `set local ${name} to ${quoteText(value)}`)
    .join("; ");
}

/** Lifts a limit that PostgreSQL has since version 17. */
const UNLIMITED = "select set_config('transaction_timeout', '0', true) " +
  "where current_setting('transaction_timeout', true) is not null";

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
        setLocalSql({ ...PINNED, ...LIFTED, ...settings })
      }`,
      ...within,
    });
    const result = await work();
    await client.query({ text: undo ? "rollback" : "commit", ...within });
    return result;
  } catch (error) {
    await client.query({ text: "rollback", ...within }).catch(() => {});
    throw poolingError(error, client) ?? endingError(error, client) ?? error;
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

/** What the server said when it ended a connection that nobody was using. */
function endingError(error: unknown, client: pg.Client): Error | undefined {
  const ending = ENDINGS.get(client);
  return sqlState(error) === undefined && sqlState(ending) !== undefined
    ? ending
    : undefined;
}

/** The error for a PgBouncer that gives each statement its own session. */
function poolingError(
  error: unknown,
  { host, port, database }: pg.Client,
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

/** Quotes a name for SQL, in Postgres and in DuckDB. */
export function quoteName(name: string): string {
  return pg.escapeIdentifier(name);
}

/** Quotes names for SQL, as a list. */
export function quoteNames(names: readonly string[], prefix = ""): string {
  return names.map((name) => prefix + quoteName(name)).join(", ");
}

/**
 * Runs work in a savepoint; false if it failed with a matching SQLSTATE, and
 * was rolled back.
 */
export async function inSavepoint(
  client: pg.Client,
  state: RegExp,
  work: () => Promise<unknown>,
): Promise<boolean> {
  await client.query("savepoint attempt");
  try {
    await work();
  } catch (error) {
    if (!state.test(sqlState(error) ?? "")) throw error;
    await client.query("rollback to savepoint attempt");
    return false;
  } finally {
    await client.query("release savepoint attempt").catch(() => {});
  }
  return true;
}

/**
 * Runs statements in a transaction and returns for each whether it succeeded:
 * one that fails with such a SQLSTATE is undone. They are sent together, and
 * one by one only if one fails.
 */
export async function attemptAll(
  client: pg.Client,
  state: RegExp,
  statements: readonly string[],
): Promise<boolean[]> {
  const attempt = (sql: string) =>
    inSavepoint(client, state, () => client.query(sql));
  if (statements.length > 1 && await attempt(statements.join(";\n"))) {
    return statements.map(() => true);
  }
  const succeeded: boolean[] = [];
  for (const sql of statements) succeeded.push(await attempt(sql));
  return succeeded;
}

/** Quotes a text for statements that take no parameters, such as COPY. */
export function quoteText(text: string): string {
  return pg.escapeLiteral(text);
}

/** The SQLSTATE of an error that Postgres sent. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** Whether a server is a standby, and whether it is read-only by default. */
export async function readServerMode(
  client: pg.Client,
): Promise<{ isStandby: boolean; isReadOnly: boolean }> {
  const { standby, read_only } = await queryRow(
    client,
    `select pg_is_in_recovery() as standby,
      current_setting('default_transaction_read_only')::boolean as read_only`,
  );
  const isStandby = standby === "t";
  return { isStandby, isReadOnly: isStandby || read_only === "t" };
}

/** Throws a `StageError` unless the server is what the settings ask for. */
async function checkTarget(
  client: pg.Client,
  settings: PostgresSettings,
): Promise<void> {
  const { sessionTarget = "any" } = settings;
  // With a single host there is nothing to prefer.
  if (["any", "prefer-standby"].includes(sessionTarget)) return;
  const { isStandby, isReadOnly } = await readServerMode(client);
  const fits: Record<string, boolean> = {
    primary: !isStandby,
    standby: isStandby,
    "read-write": !isReadOnly,
    "read-only": isReadOnly,
  };
  if (fits[sessionTarget] === true) return;
  const found = isStandby
    ? "a standby"
    : isReadOnly
    ? "a primary that is read-only by default"
    : "a primary";
  const server = serverName(settings);
  throw new StageError(
    `Cannot use ${server}: it is ${found}, and target_session_attrs asks for ${sessionTarget}`,
    {
      subject: server,
      // A failover may be under way.
      retryable: true,
      hint:
        "Name a server of that kind, or change target_session_attrs in the URL",
    },
  );
}

/** Ends a connection, even one that hangs in a query. */
async function end(client: pg.Client): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((done) => {
    timer = setTimeout(done, END_TIMEOUT_MS);
  });
  await Promise.race([client.end().catch(() => {}), timeout]);
  clearTimeout(timer);
}
