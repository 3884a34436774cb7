import type pg from "pg";
import { quoteText } from "../lib/sql/quote.ts";
import type { StageContext } from "../lib/stage.ts";
import { askInSavepoint } from "./server_state.ts";
import type { Snapshot } from "./snapshot.ts";

/** A standby that is further behind is warned of. */
const LAG_MS_MAX = 5 * 60_000;

/**
 * The time of the state that a standby shows, in an open transaction, if it has
 * not replayed all that it knows of, or can't know, since it receives nothing:
 * that of the last commit that it replayed, or of its start if there was none
 * since; at least a microsecond after `after`. ISO 8601, UTC, microseconds.
 * Undefined for a standby that keeps up, or a server that does not show it.
 * https://www.postgresql.org/docs/18/functions-admin.html (9.28.4)
 */
export async function replayedTime(
  client: pg.Client,
  { after }: { after: string },
): Promise<string | undefined> {
  const { value } = await askInSavepoint(
    client,
    `select to_char(
        greatest(
          coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()),
          ${quoteText(after)}::timestamptz + interval '1 microsecond'
        ), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
      ) as value
    where not exists (select from pg_stat_wal_receiver)
      or pg_last_wal_replay_lsn() < pg_last_wal_receive_lsn()`,
  );
  return value;
}

/** Warns of a standby that is far behind: nothing newer can be read from it. */
export function warnOfLag(
  { inRecovery, time, clockTime }: Pick<
    Snapshot,
    "inRecovery" | "time" | "clockTime"
  >,
  { log }: Pick<StageContext, "log">,
): void {
  const lagMs = Date.parse(clockTime) - Date.parse(time);
  if (!inRecovery || lagMs <= LAG_MS_MAX) return;
  log.warn(
    "the source is a standby that has replayed nothing after {time}, {minutes} minutes ago: its batches are stamped with that time. It is paused, delayed (recovery_min_apply_delay) or cut off from its primary, or the primary is idle",
    { time, minutes: Math.round(lagMs / 60_000) },
  );
}
