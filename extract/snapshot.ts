import type pg from "pg";
import type { PostgresSettings } from "../lib/config.ts";
import { ConfigError, messageOf, StageError } from "../lib/errors.ts";
import {
  type Connection,
  PINNED,
  query,
  queryRow,
  quoteName,
  quoteText,
  serverName,
  setLocalSql,
  sqlState,
} from "../lib/postgres.ts";
import type { Resources } from "../lib/stage.ts";
import { tableError } from "./table_error.ts";
import snapshotSql from "./snapshot.sql" with { type: "text" };

/** One state of the source, seen by several connections at once. */
export interface Snapshot extends AsyncDisposable {
  /** ISO 8601, UTC, microseconds. */
  time: string;
  databaseId: string;
  timeline: number;
  /** `pg_snapshot_xmin`: every id below it is settled in this snapshot. */
  fence: bigint;
  /** `pg_snapshot_xmax`: no id at or above it is seen in this snapshot. */
  nextId: bigint;
  inRecovery: boolean;
  serverVersion: string;
  /** Runs work on a connection that is free. */
  use<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result>;
}

const VERSION_MIN = 14;
/** What the snapshot time must follow when there is no batch yet. */
const BEFORE_ALL = "0001-01-01T00:00:00Z";
const BEGIN = "begin isolation level repeatable read read only; " +
  setLocalSql({
    ...PINNED,
    row_security: "off",
    lock_timeout: "30s",
    idle_in_transaction_session_timeout: "0",
  });

/**
 * Opens one snapshot over several connections. `after` is the snapshot time of
 * the batch before.
 */
export async function openSnapshot(
  settings: PostgresSettings,
  options: {
    connect: Resources["connect"];
    connections: number;
    after: string | undefined;
    /** What is read: schema and names. */
    schema: string;
    tables: readonly string[];
    signal: AbortSignal;
  },
): Promise<Snapshot> {
  const { connect, signal } = options;
  const opened: Connection[] = [];
  const close = async () => {
    await Promise.all(opened.map((one) => one[Symbol.asyncDispose]()));
  };
  try {
    const first = await connect(settings, { purpose: "extract", signal });
    opened.push(first);
    await checkVersion(first.client, settings);
    await lockTables(first.client, options);
    const state = await queryRow(first.client, snapshotSql, [
      options.after ?? BEFORE_ALL,
    ]);
    while (opened.length < options.connections) {
      const next = await connect(settings, { purpose: "extract", signal });
      opened.push(next);
      await next.client.query(BEGIN);
      await next.client.query(
        `set transaction snapshot ${quoteText(state.snapshot_id ?? "")}`,
      );
    }
    return {
      time: state.snapshot_time ?? "",
      databaseId: state.database_id ?? "",
      timeline: Number(state.timeline),
      fence: BigInt(state.fence ?? 0),
      nextId: BigInt(state.next_id ?? 0),
      inRecovery: state.in_recovery === "true",
      serverVersion: state.server_version ?? "",
      use: leaseFrom(opened.map((one) => one.client)),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    if (error instanceof StageError || error instanceof ConfigError) {
      throw error;
    }
    throw snapshotError(error, settings);
  }
}

/**
 * Begins the transaction with a lock on each table, before its snapshot is
 * taken: TRUNCATE and what rewrites a table heed no snapshot, and a table
 * could be swapped for another while it is read. The lock hinders no writer.
 */
async function lockTables(
  client: pg.Client,
  options: { schema: string; tables: readonly string[] },
): Promise<void> {
  const { schema, tables } = options;
  // What isn't there, or is no table, is told when the catalogue is compared.
  const there = await query(
    client,
    `select relname as name from pg_class
    where relnamespace = to_regnamespace(quote_ident($1))
      and relname = any($2) and relkind in ('r', 'p') order by relname`,
    [schema, tables],
  );
  await client.query(BEGIN);
  for (const { name } of there) {
    const table = name ?? "";
    try {
      await client.query(
        `lock table ${quoteName(schema)}.${quoteName(table)}
        in access share mode`,
      );
    } catch (error) {
      throw tableError(error, table);
    }
  }
}

/** Gives each piece of work a client of its own while it lasts. */
function leaseFrom(clients: pg.Client[]): Snapshot["use"] {
  const free = [...clients];
  const waiting: ((client: pg.Client) => void)[] = [];
  return async (work) => {
    const client = free.pop() ??
      await new Promise<pg.Client>((resolve) => waiting.push(resolve));
    try {
      return await work(client);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free.push(client);
      else next(client);
    }
  };
}

async function checkVersion(
  client: pg.Client,
  settings: PostgresSettings,
): Promise<void> {
  const [row] = await query(client, "show server_version_num");
  const major = Math.floor(Number(row?.server_version_num) / 10_000);
  if (major >= VERSION_MIN) return;
  throw new StageError(
    `Cannot read ${serverName(settings)}: it is PostgreSQL ${major}`,
    {
      subject: serverName(settings),
      hint: `PostgreSQL ${VERSION_MIN} or later is needed`,
    },
  );
}

function snapshotError(
  error: unknown,
  settings: PostgresSettings,
): StageError {
  const subject = serverName(settings);
  return new StageError(
    `Cannot take a snapshot of ${subject}: ${messageOf(error)}`,
    {
      subject,
      retryable: true,
      hint: sqlState(error) === "42501"
        ? "Grant the source role execute on pg_control_system() and pg_control_checkpoint()"
        : "Try again; if it persists, look into the server's log",
      cause: error,
    },
  );
}
