import type pg from "pg";
import { query } from "../lib/postgres/postgres.ts";
import { quoteName } from "../lib/sql/quote.ts";

/** Enough of a table that the server has sampled no values of. */
const ROWS_MAX = 10_000;

/**
 * Which of a table's columns, dates and times, are infinite in one of its first
 * rows.
 */
export async function findInfinite(
  client: pg.Client,
  options: { schema: string; table: string; columns: readonly string[] },
): Promise<string[]> {
  const { schema, table, columns } = options;
  if (columns.length === 0) return [];
  const [found = {}] = await query(
    client,
    `select ${
      columns.map((column, index) =>
        `bool_or(not isfinite(${quoteName(column)}))::text as c${index}`
      ).join(", ")
    } from (
      select * from ${quoteName(schema)}.${quoteName(table)} limit ${ROWS_MAX}
    ) as first_rows`,
  );
  return columns.filter((_, index) => found[`c${index}`] === "true");
}
