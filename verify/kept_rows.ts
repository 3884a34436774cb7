import { join } from "node:path";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { quoteText } from "../lib/sql/quote.ts";

/** Each thread collects this many rows or bytes before it writes them. */
const ROWS_AT_ONCE = 20_480;
const BYTES_AT_ONCE = 16 * 1024 * 1024;

/**
 * Keeps the rows of a select in a file in DuckDB's temporary folder, and lets a
 * view read them, in place of those that it has read so far. In a new table
 * each thread would hold some 100,000 rows in memory before it writes any.
 */
export async function keepRows(
  duckdb: DuckDb,
  { view, select }: { view: string; select: string },
): Promise<void> {
  const { tempDirectory } = duckdb;
  await removeKept(duckdb, view);
  // DuckDB may have cached what a file of the same name held.
  const name = `${view}-${crypto.randomUUID()}.parquet`;
  const path = quoteText(join(tempDirectory, name));
  await duckdb.run(
    `copy (${select}) to ${path}
    (format parquet, row_group_size ${ROWS_AT_ONCE},
      row_group_size_bytes ${BYTES_AT_ONCE})`,
  );
  await duckdb.run(
    `create or replace view ${view} as
    from read_parquet(${path}, hive_partitioning = false)`,
  );
}

/**
 * Lets a view read a select that gives no row, in place of those that it has
 * read so far.
 */
export async function keepNoRows(
  duckdb: DuckDb,
  { view, select }: { view: string; select: string },
): Promise<void> {
  await duckdb.run(`create or replace view ${view} as ${select}`);
  await removeKept(duckdb, view);
}

async function removeKept(
  { tempDirectory }: DuckDb,
  view: string,
): Promise<void> {
  for await (const { name } of Deno.readDir(tempDirectory)) {
    if (name.startsWith(`${view}-`)) {
      await Deno.remove(join(tempDirectory, name));
    }
  }
}
