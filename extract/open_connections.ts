import type pg from "pg";
import { messageOf } from "../lib/errors.ts";
import {
  type Connection,
  query,
  queryRow,
  sqlState,
} from "../lib/postgres/postgres.ts";
import { quoteText, type TextRow } from "../lib/sql/quote.ts";
import type { StageContext } from "../lib/stage.ts";
import {
  beginSql,
  type Guest,
  inGuestTransaction,
  inTime,
  NOTICE_DEATH,
} from "./guest_transaction.ts";

/** Tries per connection, since a proxy may send one to another server. */
const SPREAD_TRIES = 3;
const OTHER_SERVER = new Error("a connection went to another server");
/** SQLSTATE before PostgreSQL 17, and since. */
const UNKNOWN_SNAPSHOT = ["22023", "42704"];

/** How a connection is opened, prepared and ended. */
export interface Opening {
  connect: () => Promise<Connection>;
  end: (connection: Connection) => Promise<void>;
  guest: Guest;
  log: StageContext["log"];
}

/**
 * Opens a connection to the same server as the first one; undefined if
 * connections go to others, as through a proxy that spreads them.
 */
export async function openOnServer(
  { connect, end, guest }: Omit<Opening, "log">,
  server: string,
): Promise<Connection | undefined> {
  for (let tries = 0; tries < SPREAD_TRIES; tries++) {
    const connection = await connect();
    const { client } = connection;
    const row = await inTime(
      connection,
      inGuestTransaction(
        client,
        guest,
        () =>
          queryRow(client, "select pg_postmaster_start_time()::text as server"),
      ),
    );
    if (row.server === server) return connection;
    await end(connection);
  }
  return undefined;
}

/**
 * Opens a connection that reads no rows: it locks the tables until the first
 * one has, and then watches who waits. Undefined if no connection to the same
 * server can be opened.
 */
export async function openSecondConnection(
  { log, ...opening }: Opening,
  server: string,
): Promise<Connection | undefined> {
  let reason = "connections go to several servers";
  try {
    const connection = await openOnServer(opening, server);
    if (connection !== undefined) return connection;
  } catch (error) {
    reason = messageOf(error);
  }
  log.warn(
    "Cannot watch for transactions of the source that wait for extract: {reason}",
    { reason },
  );
  return undefined;
}

/**
 * Opens further connections to the snapshot beside the first one, so that
 * `wanted` tables can be read at once; `atOnce` is how many can.
 */
export async function openReaders(
  opening: Opening,
  first: pg.Client,
  options: { wanted: number; state: TextRow; signal: AbortSignal },
): Promise<{ clients: pg.Client[]; pids: string[]; atOnce: number }> {
  const { wanted, state, signal } = options;
  // The first reads little: it must be free to release what has been read.
  const others = await openOthers(opening, {
    count: wanted === 1 ? 0 : wanted,
    needed: wanted - 1,
    state,
    signal,
  });
  return {
    clients: [first, ...others.map(({ client }) => client)],
    pids: [state.pid ?? "", ...others.map(({ pid }) => pid)],
    atOnce: Math.min(wanted, 1 + others.length),
  };
}

/**
 * Opens up to `count` further connections to the snapshot; it warns of fewer
 * than `needed`.
 */
async function openOthers(
  { connect, end, guest, log }: Opening,
  options: {
    count: number;
    needed: number;
    state: TextRow;
    signal: AbortSignal;
  },
): Promise<{ client: pg.Client; pid: string }[]> {
  const { count, needed, state, signal } = options;
  const others: { client: pg.Client; pid: string }[] = [];
  let reason = "the source exports no snapshot";
  for (let tries = 0; tries < count * SPREAD_TRIES; tries++) {
    if (others.length === count || state.snapshot_id === null) break;
    let connection: Connection | undefined;
    try {
      connection = await connect();
      const { client } = connection;
      await inTime(
        connection,
        client.query(beginSql(guest, "repeatable read")),
      );
      await client.query(
        `set transaction snapshot ${quoteText(state.snapshot_id ?? "")}`,
      );
      const [row] = await query(
        client,
        "select pg_postmaster_start_time()::text as server, pg_backend_pid()::text as pid",
      );
      // Another server may have exported a snapshot under the same name.
      if (row?.server !== state.server) {
        throw OTHER_SERVER;
      }
      await client.query(NOTICE_DEATH);
      others.push({ client, pid: row?.pid ?? "" });
    } catch (error) {
      signal.throwIfAborted();
      reason = messageOf(error);
      if (connection === undefined) break;
      await end(connection);
      const elsewhere = error === OTHER_SERVER ||
        UNKNOWN_SNAPSHOT.includes(sqlState(error) ?? "");
      if (!elsewhere) break;
    }
  }
  if (others.length < needed) {
    log.warn("the source is read by {some} of {all} connections: {reason}", {
      some: 1 + others.length,
      all: 1 + needed,
      reason,
    });
  }
  return others;
}
