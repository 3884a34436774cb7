import type pg from "pg";
import { ConfigError, StageError } from "../lib/errors.ts";
import { poolingError, query, serverName } from "../lib/postgres/postgres.ts";
import type { TextRow } from "../lib/sql/quote.ts";
import type { PostgresSettings } from "../lib/settings/config.ts";
import type { StageContext } from "../lib/stage.ts";
import { SecondConnection } from "./second_connection.ts";
import { Connections } from "./connections.ts";
import { type Guest, inGuestTransaction } from "./guest_transaction.ts";
import { lockAll } from "./lock_all.ts";
import {
  openOnServer,
  openReaders,
  openSecondConnection,
} from "./open_connections.ts";
import { ReaderPool } from "./reader_pool.ts";
import { readServerState } from "./server_state.ts";
import { snapshotError } from "./source_error.ts";
import { findTables } from "./tables_to_lock.ts";
import { readWalEnd } from "./wal_flush.ts";
import { type WatchOptions, watchWaiters } from "./watch_waiters.ts";

/** One state of the source, read by several connections at once. */
export interface Snapshot extends AsyncDisposable {
  /**
   * ISO 8601, UTC, microseconds; on a standby that is behind, the time of its
   * last commit.
   */
  time: string;
  /** What the source's clock showed; `time` may differ. */
  clockTime: string;
  databaseId: string;
  /** 0 if the source does not show it. */
  timeline: number;
  /** `pg_snapshot_xmin`: every id below it is settled in this snapshot. */
  watermark: bigint;
  /** `pg_snapshot_xmax`: this snapshot sees no id at or above it. */
  nextId: bigint;
  inRecovery: boolean;
  /** Where the WAL ended, see `readWalEnd`. */
  walEnd: string | undefined;
  serverVersion: string;
  /** How many connections read. */
  connections: number;
  /** The tables in the order in which their locks can be released. */
  tables: readonly string[];
  /** Aborts when a transaction of the source has waited too long for a lock. */
  signal: AbortSignal;
  /**
   * Runs work on a free connection: one that holds the table's lock or, without
   * a table, one that releases what the work has locked.
   */
  use<Result>(
    work: (client: pg.Client) => Promise<Result>,
    table?: string,
  ): Promise<Result>;
  /**
   * Runs work on a connection that sees what is committed by now; undefined if
   * there is none to the same server.
   */
  useSecond<Result>(
    work: (client: pg.Client) => Promise<Result>,
  ): Promise<Result | undefined>;
  /**
   * Ends the snapshot, and runs work as `useSecond` does on a connection that is
   * opened after that; undefined if there is none to the same server.
   */
  endAndUse<Result>(
    work: (client: pg.Client) => Promise<Result>,
  ): Promise<Result | undefined>;
  /** Releases a table's lock, once all of it has been read. */
  release(table: string): Promise<void>;
}

/** The parts of a stage's context that opening a snapshot needs. */
export type SnapshotContext = Pick<
  StageContext,
  "config" | "resources" | "sql" | "log"
>;

/** The options of one snapshot. */
interface SnapshotOptions {
  /** The snapshot time of the batch before. */
  after: string | undefined;
  /** Whether the tables are read again until it ends, and none is released. */
  keepsLocks?: boolean;
  signal: AbortSignal;
}

const VERSION_MIN = 14;
/** The time that the first batch's snapshot must follow. */
const BEFORE_ALL = "0001-01-01T00:00:00Z";
/** The share of the server's lock table that a run may take. */
const LOCKS_SHARE_MAX = 0.5;

/**
 * Opens one snapshot over several connections, with each table locked before
 * it is taken: TRUNCATE and table rewrites ignore snapshots, and a table could
 * be swapped for another while it is read. The locks block no writer.
 */
export async function openSnapshot(
  context: SnapshotContext,
  options: SnapshotOptions,
): Promise<Snapshot> {
  const settings = context.config.source;
  if (settings === undefined) throw new ConfigError(["SOURCE_URL is missing"]);
  const connections = new Connections(() =>
    context.resources.connect(settings, {
      purpose: "extract",
      signal: options.signal,
    })
  );
  try {
    return await openWith(connections, { ...options, context, settings });
  } catch (error) {
    await connections[Symbol.asyncDispose]();
    throw poolingError(error, settings) ??
      snapshotError(error, serverName(settings));
  }
}

async function openWith(
  connections: Connections,
  options: SnapshotOptions & {
    context: SnapshotContext;
    settings: PostgresSettings;
  },
): Promise<Snapshot> {
  const { context, context: { config, log }, signal } = options;
  const first = (await connections.connect()).client;
  const { guest, found, roomForAll } = await examine(first, options);
  const { connect, end } = connections;
  const opening = { connect, end, guest, log };
  const reopen = () => openSecondConnection(opening, found.server);
  const opened = await reopen();
  const second = opened && new SecondConnection(opened, { guest, reopen, end });
  const state = await lockAll(first, {
    context,
    guest,
    tables: found.tables,
    isStandby: found.isStandby,
    gate: roomForAll ? opened : undefined,
    after: options.after ?? BEFORE_ALL,
    signal,
  });
  const inRecovery = state.in_recovery === "true";
  const server = await readServerState(first, { inRecovery, log });
  const walEnd = await readWalEnd(first, { inRecovery });
  const { clients, pids, atOnce } = await openReaders(opening, first, {
    wanted: roomForAll ? config.sourceConnections : 1,
    state,
    signal,
  });
  const gaveWay = watchFrom(connections, {
    second,
    pids,
    server: state.server ?? "",
    yieldSeconds: config.sourceLockYieldSeconds,
    log,
  });
  const pool = new ReaderPool(guest, found.tables, clients, {
    keepsLocks: options.keepsLocks === true,
    atOnce,
  });
  return {
    ...shownBy(state),
    ...server,
    inRecovery,
    walEnd,
    connections: atOnce,
    tables: found.tables.map(({ name }) => name).reverse(),
    signal: gaveWay,
    use: (work, table) => pool.use(work, table),
    useSecond: async (work) => await second?.use(work),
    endAndUse: (work) => endAndUse(connections, { guest, found, work }),
    release: (table) => pool.release(table),
    [Symbol.asyncDispose]: () => connections[Symbol.asyncDispose](),
  };
}

/** Ends connections, and runs work over a later one to the same server. */
async function endAndUse<Result>(
  connections: Connections,
  { guest, found: { server }, work }: {
    guest: Guest;
    found: { server: string };
    work: (client: pg.Client) => Promise<Result>;
  },
): Promise<Result | undefined> {
  await connections[Symbol.asyncDispose]();
  await using later = connections.another();
  const { connect, end } = later;
  const reopen = () => openOnServer({ connect, end, guest }, server);
  const opened = await reopen();
  if (opened === undefined) return undefined;
  return await new SecondConnection(opened, { guest, reopen, end }).use(work);
}

/** Finds the tables, and how to be a guest of this source. */
async function examine(
  first: pg.Client,
  options: { context: SnapshotContext; settings: PostgresSettings },
) {
  const { context, settings } = options;
  const { config } = context;
  const guest: Guest = {
    version: await checkVersion(first, settings),
    schema: config.sourceSchema,
    lockTimeoutMs: Math.ceil(config.sourceLockTimeoutSeconds * 1000),
  };
  const found = await inGuestTransaction(
    first,
    guest,
    () => findTables(first, context),
  );
  guest.lockTimeoutMs = Math.min(guest.lockTimeoutMs, found.lockTimeoutMs);
  return { guest, found, roomForAll: hasRoomForAll(context, found) };
}

/**
 * Watches who waits for the locks, from the connection beside, if there is one
 * and the settings want it; the signal says that the locks have to be let go.
 */
function watchFrom(
  connections: Connections,
  options: Omit<WatchOptions, "second" | "gaveWay"> & {
    second: WatchOptions["second"] | undefined;
  },
): AbortSignal {
  const { second, yieldSeconds } = options;
  const gaveWay = new AbortController();
  if (second !== undefined && yieldSeconds > 0) {
    connections.closeFirst(watchWaiters({
      ...options,
      second,
      gaveWay: (reason) => gaveWay.abort(reason),
    }));
  }
  return gaveWay.signal;
}

/** Whether the server can hold the locks of every connection; else warns. */
function hasRoomForAll(
  { config, log }: SnapshotContext,
  { locks, lockRoom }: { locks: number; lockRoom: number },
): boolean {
  const needed = locks * (config.sourceConnections + 1);
  if (needed <= lockRoom * LOCKS_SHARE_MAX) return true;
  if (config.sourceConnections > 1) {
    log.warn(
      "the source is read by one connection: {locks} locks are needed, and max_locks_per_transaction leaves room for {room} in all sessions together",
      { locks, room: lockRoom },
    );
  }
  return false;
}

/** The result of snapshot.sql, as far as the snapshot shows it. */
function shownBy(state: TextRow) {
  return {
    time: state.snapshot_time ?? "",
    clockTime: state.clock_time ?? "",
    watermark: BigInt(state.watermark ?? 0),
    nextId: BigInt(state.next_id ?? 0),
    serverVersion: state.server_version ?? "",
  };
}

async function checkVersion(
  client: pg.Client,
  settings: PostgresSettings,
): Promise<number> {
  const [row] = await query(client, "show server_version_num");
  const major = Math.floor(Number(row?.server_version_num) / 10_000);
  if (major >= VERSION_MIN) return major;
  throw new StageError(
    `Cannot read ${serverName(settings)}: it is PostgreSQL ${major}`,
    {
      subject: serverName(settings),
      hint: `PostgreSQL ${VERSION_MIN} or later is needed`,
    },
  );
}
