import type pg from "pg";
import { messageOf } from "../lib/errors.ts";
import { sqlState } from "../lib/postgres/postgres.ts";
import type { StageContext } from "../lib/stage.ts";

/** What tells a source from another one, and from itself set back. */
export interface ServerState {
  /** Of the cluster and, in it, of the database: `UNKNOWN` is no cluster's. */
  databaseId: string;
  /** 0 where it can't be known. */
  timeline: number;
}

/** What stands for the cluster's id where the server doesn't tell it. */
export const UNKNOWN = "unknown";

const DATABASE = `select oid::text as value from pg_database
  where datname = current_database()`;
const SYSTEM =
  "select system_identifier::text as value from pg_control_system()";
/**
 * The control file learns of a promotion only with the next checkpoint; the
 * name of a WAL file begins with the timeline.
 */
const TIMELINE_OF_WAL = `select cast(cast('x' || left(pg_walfile_name(
    pg_current_wal_lsn()), 8) as bit(32)) as integer)::text as value`;
const TIMELINE_OF_CHECKPOINT =
  "select timeline_id::text as value from pg_control_checkpoint()";

/**
 * Asks which server this is, in an open transaction. Services restrict some of
 * the functions that tell it: what they don't tell is left out, and a warning
 * says what is not noticed then.
 */
export async function readServerState(
  client: pg.Client,
  options: { inRecovery: boolean; log: StageContext["log"] },
): Promise<ServerState> {
  const refusals: string[] = [];
  const ask = async (...ways: string[]) => {
    const refused: string[] = [];
    for (const sql of ways) {
      const answer = await askApart(client, sql);
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
      "The source does not tell {what}: that it is another server, or was set back, is noticed by transaction ids and rows only ({reason})",
      {
        what: [
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

/** Whether two ids may be of one database: what is unknown is not compared. */
export function isSameDatabase(one: string, other: string): boolean {
  const [others = [], ones = []] = [other.split("/"), one.split("/")];
  return ones.every((part, index) =>
    part === others[index] || [part, others[index]].includes(UNKNOWN)
  );
}

/** Asks so that a refusal does not end the transaction. */
async function askApart(
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
