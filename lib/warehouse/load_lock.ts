import type pg from "pg";
import { applicationName, query } from "../postgres/postgres.ts";
import type { PostgresSettings } from "../settings/connection_url.ts";

/**
 * One load at a time: the key of the warehouse's advisory lock. It is held by
 * transactions, since behind a pooler sessions are shared.
 */
export const LOCK_KEY = "7235419846134";

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
