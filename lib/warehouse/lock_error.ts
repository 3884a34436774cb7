import type pg from "pg";
import { StageError } from "../errors.ts";
import { queryHeldLocks } from "../postgres/held_locks.ts";
import { inTransaction, serverName, sqlState } from "../postgres/postgres.ts";
import type { StageContext } from "../stage.ts";
import { loadedModels } from "./loaded_models.ts";
import lockHoldersSql from "./table_lock_holders.sql" with { type: "text" };

/** `lock_not_available`. */
const LOCKED = "55P03";
/** A long list says no more. */
const HOLDERS_MAX = 3;

/**
 * Runs a transaction; if it waited too long for a lock, throws a `StageError`
 * that names the table and who holds it. Others' locks outlive its end.
 */
export async function nameLockHolders<Result>(
  { config, sql, task = "load into" }:
    & Pick<StageContext, "config" | "sql">
    & { task?: string },
  client: pg.Client,
  transaction: () => Promise<Result>,
): Promise<Result> {
  try {
    return await transaction();
  } catch (error) {
    if (sqlState(error) !== LOCKED || config.warehouse === undefined) {
      throw error;
    }
    const models = loadedModels(sql).map(({ name }) => name);
    const server = serverName(config.warehouse);
    const doing = `${task} ${server}`;
    throw await lockedError(client, { models, server, doing, cause: error }) ??
      error;
  }
}

async function lockedError(
  client: pg.Client,
  options: {
    models: readonly string[];
    server: string;
    doing: string;
    cause: unknown;
  },
): Promise<StageError | undefined> {
  const { models, server, doing, cause } = options;
  const found = await inTransaction(
    client,
    { readOnly: true },
    () => queryHeldLocks(client, lockHoldersSql, [models]),
  ).catch(() => []);
  const excluding = found.filter((row) => row.excludes_writers === "t");
  const holders = (excluding.length > 0 ? excluding : found)
    .slice(0, HOLDERS_MAX);
  if (holders.length === 0) return undefined;
  const list = holders.map(({ name, holder }) => `${name} by ${holder}`);
  const [prepared] = holders.flatMap((one) => one.prepared ?? []);
  return new StageError(
    `Cannot ${doing}: it is locked there: ${list.join("; ")}`,
    {
      subject: server,
      retryable: true,
      hint: prepared === undefined
        ? "Nothing was kept; the next run repeats it. A session that does not end: select pg_terminate_backend(PROCESS)"
        : `A prepared transaction ends only when somebody ends it: rollback prepared ${prepared}, or commit prepared ${prepared}, in this database`,
      cause,
    },
  );
}
