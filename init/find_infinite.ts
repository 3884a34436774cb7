import type { Logger } from "@logtape/logtape";
import pg from "pg";
import { messageOf } from "../lib/errors.ts";
import { inTransaction, query } from "../lib/postgres/postgres.ts";
import { quoteName } from "../lib/sql/quote.ts";
import { fullName, type SourceTable } from "./catalogue.ts";

/** Enough of a table that the server has sampled no values of. */
const ROWS_MAX = 10_000;
/** A table that is locked, or whose rows take long to find, is passed over. */
const GIVING_WAY = { lock_timeout: "1s", statement_timeout: "10s" };

/**
 * Looks for infinite values in the first rows of the tables with dates and
 * times that the server has no sample of, each in a transaction of its own, and
 * returns all tables with what it found. A table that can't be read so, or
 * whose rows security may hide, is named in a warning.
 */
export async function findInfinite(
  client: pg.Client,
  tables: readonly SourceTable[],
  { log }: { log: Logger },
): Promise<SourceTable[]> {
  const found: SourceTable[] = [];
  for (const table of tables) {
    const infinite = await infiniteColumns(client, table).catch((
      error,
    ): string[] => {
      if (!(error instanceof pg.DatabaseError)) throw error;
      log.warn(
        "{table}: whether its dates are infinite is not known: {reason}",
        { table: fullName(table), reason: messageOf(error) },
      );
      return [];
    });
    found.push({
      ...table,
      columns: table.columns.map((column) => ({
        ...column,
        mayBeInfinite: column.mayBeInfinite || infinite.includes(column.name),
      })),
    });
  }
  return found;
}

/** The names of a table's columns with an infinite value in its first rows. */
async function infiniteColumns(
  client: pg.Client,
  table: SourceTable,
): Promise<string[]> {
  const unsampled = table.columns.filter((column) =>
    column.isUnsampled === true && !column.mayBeInfinite
  );
  const isRead = table.readable && table.refusal === undefined &&
    !table.rowSecurity;
  if (unsampled.length === 0 || !isRead) return [];
  const tests = unsampled.map(({ name }, index) =>
    `bool_or(not isfinite(${quoteName(name)}))::text as c${index}`
  );
  const [row = {}] = await inTransaction(
    client,
    { readOnly: true, settings: GIVING_WAY },
    () =>
      query(
        client,
        `select ${tests.join(", ")} from (
          select * from ${quoteName(table.schema)}.${quoteName(table.name)}
          limit ${ROWS_MAX}
        ) as first_rows`,
      ),
  );
  return unsampled.filter((_, index) => row[`c${index}`] === "true")
    .map(({ name }) => name);
}
