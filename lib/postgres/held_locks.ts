import type pg from "pg";
import heldLocksSql from "./held_locks.sql" with { type: "text" };
import { query } from "./postgres.ts";
import type { TextRow } from "../sql/quote.ts";

/** Runs a query that reads the locks on tables, and who holds them, as `held`. */
export function queryHeldLocks(
  client: pg.Client,
  sql: string,
  values: readonly (readonly string[])[],
): Promise<TextRow[]> {
  return query(client, `with held as (${heldLocksSql})\n${sql}`, values);
}
