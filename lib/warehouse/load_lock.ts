import type pg from "pg";
import type { Logger } from "@logtape/logtape";
import { StageError } from "../errors.ts";
import {
  applicationName,
  LOCK_TIMEOUT,
  query,
  queryRow,
  sqlState,
} from "../postgres/postgres.ts";
import type { PostgresSettings } from "../settings/connection_url.ts";

/**
 * One load at a time: the key of the warehouse's advisory lock. It is held by
 * transactions, since behind a pooler sessions are shared.
 */
const LOCK_KEY = "7235419846134";

/** `lock_not_available`. */
const LOCKED = "55P03";

/**
 * Takes load's lock until the transaction ends. False when another load has it
 * and no time to wait is given; throws a `StageError` after that time.
 */
export async function takeLoadLock(
  client: pg.Client,
  options: {
    server: string;
    /** Undefined: not at all. */
    waitSeconds: number | undefined;
    log: Logger;
  },
): Promise<boolean> {
  const { server, waitSeconds, log } = options;
  const lock = await queryRow(
    client,
    "select pg_try_advisory_xact_lock($1::bigint) as held",
    [LOCK_KEY],
  );
  if (lock.held === "t") return true;
  if (waitSeconds === undefined) {
    log.warn("another load is running in {server}", { server });
    return false;
  }
  log.info("waiting for another load in {server}, {seconds} s at most", {
    server,
    seconds: waitSeconds,
  });
  try {
    await client.query(`set local lock_timeout = '${waitSeconds}s'`);
    await client.query("select pg_advisory_xact_lock($1::bigint)", [LOCK_KEY]);
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    return true;
  } catch (error) {
    if (sqlState(error) !== LOCKED) throw error;
    throw new StageError(
      `Cannot load into ${server}: another load has been running there for over ${waitSeconds} seconds`,
      { subject: server, retryable: true, hint: "Run it again later" },
    );
  }
}

/** The session that keeps load from its lock. */
export interface LockHolder {
  /** For people. */
  name: string;
  /** Whether it is a load at work, as far as its session says. */
  isLoad: boolean;
}

/**
 * The session that holds load's lock; undefined when none does. Its start is
 * known for sessions of the same role, and to members of `pg_read_all_stats`.
 */
export async function lockHolder(
  client: pg.Client,
  settings: Pick<PostgresSettings, "applicationName">,
): Promise<LockHolder | undefined> {
  const [holder] = await query(
    client,
    `select pg_locks.pid, application_name,
      to_char(xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as since
    from pg_locks
    left join pg_stat_activity on pg_stat_activity.pid = pg_locks.pid
    where locktype = 'advisory' and granted and objsubid = 1
      and pg_locks.database = (
        select oid from pg_database where datname = current_database()
      )
      and (classid::bigint << 32) + objid::bigint = $1::bigint`,
    [LOCK_KEY],
  );
  if (holder === undefined) return undefined;
  const { pid, application_name: name, since } = holder;
  return {
    name: `process ${pid} of the warehouse${
      name ? ` (${name})` : ""
    } holds load's lock${since === null ? "" : `, since ${since}`}`,
    isLoad: name === applicationName(settings, "load"),
  };
}
