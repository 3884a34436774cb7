import type pg from "pg";
import { PINNED } from "../lib/postgres.ts";

/** Beside what is pinned: limits that are lifted, and how it is planned. */
const SETTINGS = {
  ...PINNED,
  statement_timeout: "0",
  transaction_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  work_mem: "64MB",
  jit: "off",
};

/**
 * Runs reads of one state of the warehouse in a transaction with settings of
 * its own, and undoes whatever else they do: behind a pooler nothing is left.
 */
export async function inReadTransaction<Result>(
  client: pg.Client,
  read: () => Promise<Result>,
): Promise<Result> {
  await client.query("begin isolation level repeatable read");
  try {
    // Not every version has every setting.
    await client.query(
      `select set_config(key, value, true) from jsonb_each_text($1::jsonb)
      where key in (select lower(name) from pg_settings)`,
      [JSON.stringify(SETTINGS)],
    );
    return await read();
  } finally {
    // A connection that is lost has lost its transaction, and the first error.
    await client.query("rollback").catch(() => {});
  }
}
