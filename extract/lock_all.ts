import type pg from "pg";
import { setTimeout as sleep } from "node:timers/promises";
import { StageError } from "../lib/errors.ts";
import { queryHeldLocks } from "../lib/postgres/held_locks.ts";
import {
  type Connection,
  query,
  queryRow,
  sqlState,
} from "../lib/postgres/postgres.ts";
import type { TextRow } from "../lib/sql/quote.ts";
import type { StageContext } from "../lib/stage.ts";
import changedTablesSql from "./changed_tables.sql" with { type: "text" };
import {
  beginSql,
  type Guest,
  inGuestTransaction,
  inTime,
  isLocked,
  type LockedTable,
  lockSql,
  NOTICE_DEATH,
} from "./guest_transaction.ts";
import { replayedTime } from "./replayed_time.ts";
import lockHoldersSql from "./lock_holders.sql" with { type: "text" };
import snapshotSql from "./snapshot.sql" with { type: "text" };
import { tableError } from "./source_error.ts";

/** How long to pause after the first failure to get the locks. */
const PAUSE_MS = 20;
const PAUSE_MS_MAX = 500;
/** The server ended the connection, or a pooler had none of its own for it. */
const CONNECTION_ENDED = /^(08|57P)/;

/** Which tables are locked, how, and after which batch. */
export interface LockOptions {
  context: Pick<StageContext, "config">;
  guest: Guest;
  tables: readonly LockedTable[];
  isStandby: boolean;
  /** A second connection, which keeps the tables from changing meanwhile. */
  gate: Connection | undefined;
  after: string;
  signal: AbortSignal;
}

/**
 * Locks all tables and takes the snapshot, on the first connection. It never
 * waits for a lock: if one isn't free it releases all, and tries again.
 */
export async function lockAll(
  first: pg.Client,
  options: LockOptions,
): Promise<TextRow> {
  const { context, signal } = options;
  const { sourceLockWaitSeconds } = context.config;
  const startMs = performance.now();
  for (let pauseMs = PAUSE_MS;; pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
    let problem: unknown;
    try {
      const state = await lockOnce(first, options);
      if (state !== undefined) return state;
    } catch (error) {
      await first.query("rollback").catch(() => {});
      if (!isLocked(error)) throw await nameTable(first, error, options);
      problem = error;
    } finally {
      await options.gate?.client.query("rollback").catch(() => {});
    }
    const waitedMs = performance.now() - startMs;
    if (waitedMs + pauseMs > sourceLockWaitSeconds * 1000) {
      throw await lockedError(first, { ...options, problem });
    }
    await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal });
  }
}

/** Tries once; undefined if a table changed between snapshot and lock. */
async function lockOnce(
  first: pg.Client,
  { guest, tables, isStandby, gate, after }: LockOptions,
): Promise<TextRow | undefined> {
  // A pooler may have no second connection: the first must not wait for one.
  await first.query(beginSql(guest, "repeatable read"));
  const gateServer = gate === undefined
    ? undefined
    : await closeGate(gate, { guest, tables });
  const state = await takeSnapshot(first, { guest, isStandby, after });
  await first.query(`${NOTICE_DEATH}; ${lockSql(guest, tables)}`);
  if (gateServer === state.server) return state;
  await first.query("savepoint looked");
  const changed = await query(first, changedTablesSql, [
    tables.map(({ source }) => source.schema),
    tables.map(({ source }) => source.name),
  ]);
  await first.query("rollback to savepoint looked; release savepoint looked");
  if (changed.length === 0) return state;
  await first.query("rollback");
  return undefined;
}

/**
 * Locks the tables on the second connection, and returns when its server
 * started; undefined if it doesn't answer, or has died.
 */
async function closeGate(
  gate: Connection,
  { guest, tables }: { guest: Guest; tables: readonly LockedTable[] },
): Promise<string | undefined> {
  const { client } = gate;
  try {
    await inTime(gate, client.query(beginSql(guest, "read committed")));
    await client.query(lockSql(guest, tables));
    const row = await queryRow(
      client,
      "select pg_postmaster_start_time()::text as server",
    );
    return row.server ?? undefined;
  } catch (error) {
    const state = sqlState(error);
    if (state !== undefined && !CONNECTION_ENDED.test(state)) throw error;
    return undefined;
  }
}

/** Takes the snapshot, and its time: on a standby, that of what it replayed. */
async function takeSnapshot(
  client: pg.Client,
  options: { guest: Guest; isStandby: boolean; after: string },
): Promise<TextRow> {
  // As the transaction's first query: by a later one more may be replayed.
  const first = options.isStandby
    ? await replayedTime(client, options)
    : undefined;
  const state = await querySnapshot(client, options);
  if (state.in_recovery !== "true") return state;
  // Unless a pooler gives this connection another server than the one before.
  const replayed = options.isStandby
    ? first
    : await replayedTime(client, options);
  return replayed === undefined ? state : { ...state, snapshot_time: replayed };
}

/** Takes the snapshot; where it can't be exported, one connection reads it. */
async function querySnapshot(
  client: pg.Client,
  { guest, after }: { guest: Guest; after: string },
): Promise<TextRow> {
  try {
    return await queryRow(client, snapshotSql, [after]);
  } catch (error) {
    if (sqlState(error) === undefined) throw error;
    await client.query("rollback");
    await client.query(beginSql(guest, "repeatable read"));
    const alone = snapshotSql.replace("pg_export_snapshot()", "null");
    return await queryRow(client, alone, [after]);
  }
}

/** Finds the table that caused an error, and returns an error that names it. */
async function nameTable(
  client: pg.Client,
  error: unknown,
  { guest, tables }: LockOptions,
): Promise<unknown> {
  if (sqlState(error) === undefined) return error;
  for (const table of tables) {
    try {
      await inGuestTransaction(client, guest, async () => {
        await client.query(lockSql(guest, [table]));
      });
    } catch (found) {
      return isLocked(found) ? error : tableError(found, table.name);
    }
  }
  return error;
}

async function lockedError(
  client: pg.Client,
  options: LockOptions & { problem: unknown },
): Promise<StageError> {
  const { context, guest, tables, problem } = options;
  const { sourceLockWaitSeconds } = context.config;
  const holders = await inGuestTransaction(
    client,
    guest,
    () =>
      queryHeldLocks(client, lockHoldersSql, [
        tables.map(({ source }) => source.schema),
        tables.map(({ source }) => source.name),
        tables.map(({ name }) => name),
      ]),
  ).catch(() => []);
  const [holder] = holders;
  const subject = holder?.name ?? "source";
  const prepared = holders.find((one) => one.prepared)?.prepared;
  return new StageError(
    `Cannot lock ${
      holder === undefined ? "the tables of the source" : `"${subject}"`
    } for reading: ${
      holder === undefined
        ? "each time, one of them was locked or changed"
        : `locked by ${holders.map((one) => one.holder).join("; ")}`
    }, for ${sourceLockWaitSeconds} s`,
    {
      subject,
      retryable: true,
      hint: prepared
        ? `A prepared transaction keeps its locks until somebody ends it: commit prepared ${prepared}, or rollback prepared ${prepared}. Then run extract again`
        : "Run extract again when that transaction has ended; SOURCE_LOCK_WAIT_SECONDS sets how long it tries",
      cause: problem,
    },
  );
}
