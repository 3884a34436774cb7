import type pg from "pg";
import type { BatchLog } from "../lib/batches/batch_log.ts";
import type { Manifest } from "../lib/batches/manifest.ts";
import { applicationName, query } from "../lib/postgres/postgres.ts";
import type { PostgresSettings } from "../lib/settings/connection_url.ts";
import type { StageContext } from "../lib/stage.ts";
import { LOCK_KEY } from "../load/open_loader.ts";

/**
 * Since when the next batch has waited for a stage, if longer than half of
 * `FRESHNESS_MINUTES_MAX`: a running stage processes it within minutes, and one
 * that cannot write can't always report that. Times by this machine's clock and
 * the store's.
 */
export async function waitsTooLong(
  { config, clock }: StageContext,
  options: { log: BatchLog<Manifest>; batch: number },
): Promise<Date | undefined> {
  const { log, batch } = options;
  const manifest = await log.find(batch);
  if (manifest === undefined) return undefined;
  const since = new Date(manifest.committedAt);
  const minutes = (clock().getTime() - since.getTime()) / 60_000;
  return minutes > config.freshnessMinutesMax / 2 ? since : undefined;
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
