import pg from "pg";
import { sqlState } from "./postgres.ts";

/**
 * Runs work in a savepoint; false if it failed with a matching SQLSTATE, and
 * was rolled back.
 */
export async function inSavepoint(
  client: pg.Client,
  state: RegExp,
  work: () => Promise<unknown>,
): Promise<boolean> {
  await client.query("savepoint attempt");
  try {
    await work();
  } catch (error) {
    if (!state.test(sqlState(error) ?? "")) throw error;
    await client.query("rollback to savepoint attempt");
    return false;
  } finally {
    await client.query("release savepoint attempt").catch(() => {});
  }
  return true;
}

/**
 * Runs statements in a transaction and returns for each whether it succeeded:
 * one that fails with such a SQLSTATE is undone. They are sent together, and
 * one by one only if one fails.
 */
export async function attemptAll(
  client: pg.Client,
  state: RegExp,
  statements: readonly string[],
): Promise<boolean[]> {
  const attempt = (sql: string) =>
    inSavepoint(client, state, () => client.query(sql));
  if (statements.length > 1 && await attempt(statements.join(";\n"))) {
    return statements.map(() => true);
  }
  const succeeded: boolean[] = [];
  for (const sql of statements) succeeded.push(await attempt(sql));
  return succeeded;
}
