import type pg from "pg";
import { messageOf } from "../lib/errors.ts";
import { sqlState } from "../lib/postgres/postgres.ts";
import type { StageContext } from "../lib/stage.ts";

/** Distinguishes a source from others, and from itself after a restore. */
export interface ServerState {
  /** Ids of the cluster and the database in it; either may be `UNKNOWN`. */
  databaseId: string;
  /** 0 where it can't be known. */
  timeline: number;
}

/** Stands for an id that the server refuses to show. */
export const UNKNOWN = "unknown";

const DATABASE = `select oid::text as value from pg_database
  where datname = current_database()`;
const SYSTEM =
  "select system_identifier::text as value from pg_control_system()";
/**
 * The control file shows a promotion only after the next checkpoint; the name
 * of a WAL file begins with the timeline.
 */
const TIMELINE_OF_WAL = `select cast(cast('x' || left(pg_walfile_name(
    pg_current_wal_lsn()), 8) as bit(32)) as integer)::text as value`;
const TIMELINE_OF_CHECKPOINT =
  "select timeline_id::text as value from pg_control_checkpoint()";

/**
 * Finds out which server this is, in an open transaction. Hosting services
 * restrict some of the functions that show it: what they hide is left unknown,
 * and a warning says how a change is noticed without it.
 */
export async function readServerState(
  client: pg.Client,
  options: { inRecovery: boolean; log: StageContext["log"] },
): Promise<ServerState> {
  const refusals: string[] = [];
  const ask = async (...ways: string[]) => {
    const refused: string[] = [];
    for (const sql of ways) {
      const answer = await askInSavepoint(client, sql);
      if (answer.value !== undefined) return answer.value;
      refused.push(answer.refused);
    }
    refusals.push(...refused);
    return undefined;
  };
  const database = await ask(DATABASE) ?? UNKNOWN;
  const system = await ask(SYSTEM) ?? UNKNOWN;
  const timeline = await ask(
    ...options.inRecovery ? [] : [TIMELINE_OF_WAL],
    TIMELINE_OF_CHECKPOINT,
  );
  if (refusals.length > 0) {
    options.log.warn(
      "the source does not show {what}: only transaction ids and rows will show that it is another server, or was set back ({reason})",
      {
        what: [
          ...database === UNKNOWN ? ["its database's id"] : [],
          ...system === UNKNOWN ? ["its system identifier"] : [],
          ...timeline === undefined ? ["its timeline"] : [],
        ].join(" and "),
        reason: [...new Set(refusals)].join("; "),
      },
    );
  }
  return {
    databaseId: `${system}/${database}`,
    timeline: Number(timeline ?? 0),
  };
}

/** Whether two ids may name one database: unknown parts are not compared. */
export function isSameDatabase(one: string, other: string): boolean {
  const [others = [], ones = []] = [other.split("/"), one.split("/")];
  return ones.every((part, index) =>
    part === others[index] || [part, others[index]].includes(UNKNOWN)
  );
}

/**
 * Runs a query for one text, its column `value`, so that a refusal does not
 * abort the transaction.
 */
export async function askInSavepoint(
  client: pg.Client,
  sql: string,
): Promise<
  { value: string; refused?: never } | { value?: never; refused: string }
> {
  try {
    const results = await client.query(
      `savepoint asked; ${sql}; rollback to savepoint asked; release savepoint asked`,
    );
    const rows = [results].flat().flatMap((result) => result.rows);
    const value = rows[0]?.value;
    return typeof value === "string" ? { value } : { refused: "no answer" };
  } catch (error) {
    if (sqlState(error) === undefined) throw error;
    await client.query(
      "rollback to savepoint asked; release savepoint asked",
    );
    return { refused: messageOf(error) };
  }
}
