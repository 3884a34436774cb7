import pg from "pg";
import { StageError } from "../errors.ts";
import {
  type PostgresSettings,
  serverName,
} from "../settings/connection_url.ts";
import { readTlsFiles } from "../settings/tls_files.ts";
import { rdsRoots } from "./rds_roots.ts";
import { connectError } from "./connect_error.ts";
import { limitSilence } from "./limit_silence.ts";
import { applicationName, Connection, ENDINGS, queryRow } from "./postgres.ts";

const CONNECT_TIMEOUT_MS = 15_000;

const KEEP_ALIVE_DELAY_MS = 10_000;

const END_TIMEOUT_MS = 2_000;

/** No statement takes longer: an index of billions of rows is made in hours. */
const SILENT_MS_MAX = 6 * 3_600_000;

/** What a connection is for. */
interface ConnectOptions {
  purpose: string;
  signal?: AbortSignal | undefined;
  /** How long a query may wait without a byte of an answer. */
  silentMsMax?: number;
}

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
  const roots = await rdsRoots(settings.host);
  const client = new pg.Client({
    host: settings.host,
    port: settings.port,
    database: settings.database,
    user: settings.user,
    password: settings.password,
    ssl: settings.tls === false
      ? false
      : readTlsFiles(settings.tls, { server: serverName(settings), roots }),
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
  sayWhatEnded(client);
  try {
    await client.connect();
    limitSilence(client, options.silentMsMax ?? SILENT_MS_MAX);
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

/**
 * Lets a query on a connection that ended while nobody used it fail with what
 * ended it: the driver only says that it can't be used.
 */
function sayWhatEnded(client: pg.Client): void {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown;
  const asked = (...given: unknown[]): unknown => {
    const ending = ENDINGS.get(client);
    if (ending === undefined) return query(...given);
    const [copy] = given;
    if (!isSubmittable(copy)) return Promise.reject(ending);
    copy.handleError(ending);
    return copy;
  };
  Object.assign(client, { query: asked });
}

function isSubmittable(
  query: unknown,
): query is { handleError(error: Error): void } {
  return typeof query === "object" && query !== null && "submit" in query;
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
export async function end(client: pg.Client): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((done) => {
    timer = setTimeout(done, END_TIMEOUT_MS);
  });
  await Promise.race([client.end().catch(() => {}), timeout]);
  clearTimeout(timer);
}
