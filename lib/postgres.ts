import pg from "pg";
import type { PostgresSettings } from "./config.ts";
import { ConfigError, messageOf, StageError } from "./errors.ts";

const CONNECT_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_DELAY_MS = 10_000;
const END_TIMEOUT_MS = 2_000;

/** A connection that is ended when it goes out of scope. */
export interface Connection extends AsyncDisposable {
  client: pg.Client;
}

/** A value of the database as text, the only form in which it is passed on. */
export type TextRow = Record<string, string | null>;

/** A server as people name it, without user and password. */
export function serverName(settings: PostgresSettings): string {
  return `${settings.host}:${settings.port}/${settings.database}`;
}

/**
 * Connects; throws a `StageError` that names the server, never the password,
 * or a `ConfigError` when the CA's file can't be read.
 * Every value comes back as text, so that none goes through a JavaScript date
 * or number. Nothing is set on the session: behind a pooler others share it.
 * How a value is written is pinned by `inTransaction`.
 */
export async function connect(
  settings: PostgresSettings,
  options: { purpose: string; signal?: AbortSignal | undefined },
): Promise<Connection> {
  const client = new pg.Client({
    host: settings.host,
    port: settings.port,
    database: settings.database,
    user: settings.user,
    password: settings.password,
    ssl: settings.tls === false ? false : {
      rejectUnauthorized: settings.tls.verify,
      ...(settings.tls.caFile === undefined
        ? {}
        : { ca: readCa(settings.tls.caFile, settings) }),
    },
    application_name: `totesys ${options.purpose}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    types: { getTypeParser: () => (text: string) => text },
  });
  // A connection that dies between queries reports it here; the next query
  // throws, which is where it is dealt with.
  client.on("error", () => {});
  try {
    await client.connect();
  } catch (error) {
    await end(client);
    throw connectError(error, settings);
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
 * Has the server write every value in one way, and end nothing for the time it
 * takes, whatever role and database are set to.
 */
export const PINNED: Settings = {
  timezone: "UTC",
  datestyle: "ISO",
  intervalstyle: "iso_8601",
  extra_float_digits: "1",
  bytea_output: "hex",
  client_min_messages: "warning",
  statement_timeout: "0",
  idle_in_transaction_session_timeout: "1h",
};

/** Settings of a server, by name. */
export type Settings = Readonly<Record<string, string>>;

/** SQL that sets these for the rest of a transaction only. */
export function setLocalSql(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `set local ${name} to ${quoteText(value)}`)
    .join("; ");
}

/** PostgreSQL has it since version 17. */
const UNLIMITED = "select set_config('transaction_timeout', '0', true) " +
  "where current_setting('transaction_timeout', true) is not null";

/** How `inTransaction` runs. */
export interface TransactionOptions {
  readOnly?: boolean;
  /** Beside those of `PINNED`, or in their place. */
  settings?: Settings;
  /** How long the server may take to begin and to commit, in milliseconds. */
  answerMs?: number;
}

/**
 * Does some work in a transaction of the connection: all of it, or nothing.
 * What is set, is set for it alone, so that nothing of it reaches others who
 * share a session with it behind a pooler.
 */
export async function inTransaction<Result>(
  client: pg.Client,
  options: TransactionOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  const { readOnly = false, settings = {}, answerMs } = options;
  const within = answerMs === undefined ? {} : { query_timeout: answerMs };
  const begin = "begin isolation level read committed" +
    (readOnly ? " read only" : "");
  try {
    await client.query({
      text: `${begin}; ${UNLIMITED}; ${
        setLocalSql({ ...PINNED, ...settings })
      }`,
      ...within,
    });
    const result = await work();
    await client.query({ text: "commit", ...within });
    return result;
  } catch (error) {
    await client.query({ text: "rollback", ...within }).catch(() => {});
    throw poolingError(error, client) ?? error;
  }
}

/**
 * Whether the connection leads to a pooler, which hands each transaction to
 * another session of the server: what belongs to a session (LISTEN, locks that
 * outlive a transaction) can't be had there.
 */
export async function isPooled(client: pg.Client): Promise<boolean> {
  const { pid } = await queryRow(client, "select pg_backend_pid() as pid");
  const { processID } = client as pg.Client & { processID?: number | null };
  return String(processID) !== pid;
}

/** PgBouncer says so where each statement gets a session of its own. */
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
        "Set pool_mode of the pooler to transaction or session, or name the database's own address",
      cause: error,
    },
  );
}

/** Runs a query and gives its rows, every value as text. */
export async function query(
  client: pg.Client,
  sql: string,
  values: readonly (string | number | null | readonly string[])[] = [],
): Promise<TextRow[]> {
  const result = await client.query<TextRow>(sql, [...values]);
  return result.rows;
}

/** Runs a query that gives one row. */
export async function queryRow(
  client: pg.Client,
  sql: string,
  values: readonly (string | number | null | readonly string[])[] = [],
): Promise<TextRow> {
  const [row] = await query(client, sql, values);
  if (row === undefined) throw new Error(`No row came back from: ${sql}`);
  return row;
}

/** A name as SQL has it, for Postgres and DuckDB alike. */
export function quoteName(name: string): string {
  return pg.escapeIdentifier(name);
}

/** Names as SQL has them, in a list. */
export function quoteNames(names: readonly string[], prefix = ""): string {
  return names.map((name) => prefix + quoteName(name)).join(", ");
}

/** A text as SQL has it, where a statement takes no parameters (COPY). */
export function quoteText(text: string): string {
  return pg.escapeLiteral(text);
}

/** The five characters of an SQLSTATE when Postgres sent the error. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

function readCa(path: string, settings: PostgresSettings): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new ConfigError([
      `Cannot read the CA of ${serverName(settings)}: ${messageOf(error)}`,
    ]);
  }
}

/** Ends a connection, also one that hangs in a query. */
async function end(client: pg.Client): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((done) => {
    timer = setTimeout(done, END_TIMEOUT_MS);
  });
  await Promise.race([client.end().catch(() => {}), timeout]);
  clearTimeout(timer);
}

function connectError(error: unknown, settings: PostgresSettings): StageError {
  const subject = serverName(settings);
  const state = sqlState(error) ?? "";
  const password = settings.password;
  let found = messageOf(error) ||
    (error instanceof AggregateError
      ? error.errors.map(messageOf).join("; ")
      : "no answer");
  if (password) found = found.replaceAll(password, "***");
  if (
    password === undefined &&
    (state === "28P01" || /client password must be a string/.test(found))
  ) {
    return new StageError(`Cannot connect to ${subject}: no password is set`, {
      subject,
      hint:
        "Put it into the URL, postgres://user:password@host:port/database, or into PGPASSWORD",
    });
  }
  return new StageError(`Cannot connect to ${subject}: ${found}`, {
    subject,
    retryable: !["28P01", "28000", "3D000"].includes(state),
    loginRefused: ["28P01", "28000"].includes(state),
    hint: hintFor(state, found, settings),
    cause: undefined,
  });
}

function hintFor(
  state: string,
  found: string,
  settings: PostgresSettings,
): string {
  if (state === "28P01" || state === "28000") {
    return `Check the password and the rights of the user "${settings.user}"`;
  }
  if (state === "3D000") return "Check the database's name in the URL";
  if (state === "53300") return "The server has no connection left: try later";
  if (/certificate|self.signed|altnames/i.test(found)) {
    return "Give the server's CA with sslrootcert, or sslmode in the URL";
  }
  if (/does not support SSL/i.test(found)) {
    return "The server has no TLS: add ?sslmode=disable to the URL if you trust the network";
  }
  return "Check that the server runs and that this machine may reach it";
}
