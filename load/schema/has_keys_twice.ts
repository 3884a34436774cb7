import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteNames } from "../../lib/sql/quote.ts";

/** Whether rows of a table, a name in SQL, have the same key. */
export async function hasKeysTwice(
  client: pg.Client,
  { table, key }: { table: string; key: readonly string[] },
): Promise<boolean> {
  const found = await query(
    client,
    `select from ${table} group by ${quoteNames(key)} having count(*) > 1
    limit 1`,
  );
  return found.length > 0;
}
