import pg from "pg";
import { connectError } from "./connect_error.ts";
import { type PostgresSettings, serverName } from "./connection_url.ts";
import { StageError } from "./errors.ts";
import { readTlsFiles } from "./tls_files.ts";

export { serverName } from "./connection_url.ts";

const CONNECT_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_DELAY_MS = 10_000;
const END_TIMEOUT_MS = 2_000;

/** A connection that is ended when it goes out of scope. */
export interface Connection extends AsyncDisposable {
  client: pg.Client;
}

/** What a connection is for. */
export interface ConnectOptions {
  purpose: string;
  signal?: AbortSignal | undefined;
  /**
   * Nothing is set in the session, which a pooler may share with others: who
   * works on it sets all that matters in each transaction.
   */
  bare?: boolean;
}

/** A value of the database as text, the only form in which it is passed on. */
export type TextRow = Record<string, string | null>;

/**
 * What the text of values depends on, and how SQL is read: the same in every
 * session, whatever the role, the database or another client has set.
 */
const PINNED_SETTINGS = {
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

/** SQL that pins them: for the session, or `local` to the transaction. */
export function pinSettings(scope: "session" | "local"): string {
  return Object.entries(PINNED_SETTINGS)
    .map(([name, value]) => `set ${scope} ${name} to '${value}'`).join("; ");
}

/**
 * Connects; throws a `StageError` that names the server, never the password,
 * or a `ConfigError` when the file of a certificate or key can't be read.
 * Every value comes back as text, so that none goes through a JavaScript date
 * or number.
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
    application_name: settings.applicationName ?? `totesys ${options.purpose}`,
    ...(settings.options === undefined ? {} : { options: settings.options }),
    connectionTimeoutMillis: settings.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    keepAlive: settings.keepAlive ?? true,
    keepAliveInitialDelayMillis: settings.keepAliveDelayMs ??
      KEEP_ALIVE_DELAY_MS,
    types: { getTypeParser: () => (text: string) => text },
  });
  // A connection that dies between queries reports it here; the next query
  // throws, which is where it is dealt with.
  client.on("error", () => {});
  try {
    await client.connect();
    if (options.bare !== true) await prepareSession(client);
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

/** Has the server write every value in one way, whatever its settings. */
export async function prepareSession(client: pg.Client): Promise<void> {
  await client.query(pinSettings("session"));
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

/** Throws a `StageError` unless the server is what the settings ask for. */
async function checkTarget(
  client: pg.Client,
  settings: PostgresSettings,
): Promise<void> {
  const { sessionTarget = "any" } = settings;
  // Of one host there is nothing to prefer.
  if (["any", "prefer-standby"].includes(sessionTarget)) return;
  const { standby, read_only } = await queryRow(
    client,
    `select pg_is_in_recovery() as standby,
      current_setting('default_transaction_read_only')::boolean as read_only`,
  );
  const isStandby = standby === "t";
  const isReadOnly = isStandby || read_only === "t";
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
    ? "a primary that only reads by default"
    : "a primary";
  const server = serverName(settings);
  throw new StageError(
    `Cannot use ${server}: it is ${found}, and target_session_attrs asks for ${sessionTarget}`,
    {
      subject: server,
      // A failover may be under way.
      retryable: true,
      hint:
        "Name the server that is, or change target_session_attrs in the URL",
    },
  );
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
