import type pg from "pg";
import type { SourceName } from "../lib/project/source_names.ts";
import {
  type Connection,
  PINNED,
  setLocalSql,
  sqlState,
} from "../lib/postgres/postgres.ts";
import { quoteName } from "../lib/sql/quote.ts";

/** How transactions of the source begin. */
export interface Guest {
  /** The server's major version. */
  version: number;
  schema: string;
  /** How long a statement waits for a lock. */
  lockTimeoutMs: number;
}

/** The shortest timeout there is: a lock that isn't free now is left alone. */
const LOCK_AT_ONCE = "set local lock_timeout to '1ms'";
const TRANSACTION_TIMEOUT_SINCE = 17;

/**
 * SQL that begins a transaction independent of any setting of the role, the
 * database or another client of a pooler. It takes no snapshot. The company's
 * functions can be found without a schema, and one whose parameters match better
 * wins over a built-in one: SQL on values of its tables names `pg_catalog`.
 */
export function beginSql(
  guest: Guest,
  isolation: "read committed" | "repeatable read",
): string {
  const settings = [
    setLocalSql(PINNED),
    `set local search_path to ${quoteName(guest.schema)}, public, pg_temp`,
    "set local row_security to off",
    "set local jit to off",
    "set local statement_timeout to 0",
    "set local idle_in_transaction_session_timeout to 0",
    ...(guest.version < TRANSACTION_TIMEOUT_SINCE
      ? []
      : ["set local transaction_timeout to 0"]),
    lockTimeoutSql(guest),
  ];
  return `begin isolation level ${isolation} read only; ${settings.join("; ")}`;
}

/** SQL that sets how long statements wait for a lock from here on. */
export function lockTimeoutSql({ lockTimeoutMs }: Guest): string {
  return `set local lock_timeout to '${lockTimeoutMs}ms'`;
}

/**
 * SQL that makes a server notice within seconds that its client is gone; it
 * sets nothing on systems that can't. It takes the snapshot.
 */
export const NOTICE_DEATH =
  `select set_config('client_connection_check_interval', '2s', true)
  where version() ~* 'linux|apple|darwin|bsd'`;

/** Runs work in a transaction of its own, which sees what is committed. */
export async function inGuestTransaction<Result>(
  client: pg.Client,
  guest: Guest,
  work: () => Promise<Result>,
): Promise<Result> {
  await client.query(beginSql(guest, "read committed"));
  try {
    return await work();
  } finally {
    await client.query("rollback").catch(() => {});
  }
}

/**
 * SQL that locks tables in order, each in a savepoint of its own, so that the
 * last can be released first. It locks all that a reader of every row locks,
 * partitions and indexes too, and needs only the right to read a column. Each
 * lock is granted at once or the statement fails: a session that holds locks
 * and waits for more may survive a deadlock, and the application be the victim.
 */
export function lockSql(
  guest: Guest,
  tables: readonly LockedTable[],
): string {
  return [
    ...tables.flatMap((table, index) => [
      `savepoint locked_${index}`,
      LOCK_AT_ONCE,
      lockOneSql(table),
    ]),
    lockTimeoutSql(guest),
  ].join("; ");
}

/** A table that is locked together with its partitions, if any. */
export interface LockedTable {
  /** The contract's name. */
  name: string;
  source: SourceName;
  partitioned: boolean;
}

function lockOneSql({ source, partitioned }: LockedTable): string {
  return `select from ${partitioned ? "" : "only "}${
    quoteName(source.schema)
  }.${quoteName(source.name)} limit 0`;
}

/** Whether an error means that a lock was not free. */
export function isLocked(error: unknown): boolean {
  // lock_not_available, and deadlock_detected, which leaves no lock either.
  return ["55P03", "40P01"].includes(sqlState(error) ?? "");
}

/** How long a pooler without a free connection may keep a second waiting. */
export const ANSWER_MS_MAX = 5_000;

/** Waits for work; ends the connection and throws if no answer comes soon. */
export async function inTime<Result>(
  connection: Connection,
  work: Promise<Result>,
  answerMsMax = ANSWER_MS_MAX,
): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer in ${answerMsMax / 1000} s`));
      void connection[Symbol.asyncDispose]();
    }, answerMsMax);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
