import type { Logger } from "@logtape/logtape";
import pg from "pg";
import { messageOf } from "../lib/errors.ts";
import { inTransaction, query } from "../lib/postgres/postgres.ts";
import { quoteName } from "../lib/sql/quote.ts";
import { fullName, type SourceTable } from "./catalogue.ts";

/** Enough of a table, or of each of its partitions. */
const ROWS_MAX = 10_000;
/** A table that is locked, or whose rows take long to find, is passed over. */
const GIVING_WAY = { lock_timeout: "1s", statement_timeout: "10s" };

/**
 * Looks for infinite values in the first rows of the tables with dates and
 * times, or of each of their partitions, in a transaction of its own: what the
 * server has sampled may be older than the value, or of another partition.
 * Returns all tables with what it found. A table that can't be read so is named
 * in a warning; one whose rows are hidden from this role is passed over.
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
  const { readable, refusal, hidesRows = false } = table;
  if (!readable || refusal !== undefined || hidesRows) return [];
  const open = new Set(
    table.columns.filter(({ hasInfinity, mayBeInfinite }) =>
      hasInfinity === true && !mayBeInfinite
    ).map(({ name }) => name),
  );
  const found: string[] = [];
  for (const relation of relationsOf(table)) {
    if (open.size === 0) break;
    for (const name of await infiniteIn(client, relation, [...open])) {
      open.delete(name);
      found.push(name);
    }
  }
  return found;
}

/** What has the rows of a table: itself, or the partitions that can be read. */
function relationsOf(table: SourceTable): { schema: string; name: string }[] {
  const { partitions = [] } = table;
  const readable = partitions.filter((one) => one.readable);
  const isWhole = partitions.length > 0 &&
    readable.length === partitions.length;
  return isWhole ? readable : [...readable, table];
}

async function infiniteIn(
  client: pg.Client,
  { schema, name }: { schema: string; name: string },
  columns: readonly string[],
): Promise<string[]> {
  const tests = columns.map((column, index) =>
    `bool_or(not isfinite(${quoteName(column)}))::text as c${index}`
  );
  const [row = {}] = await inTransaction(
    client,
    { readOnly: true, settings: GIVING_WAY },
    () =>
      query(
        client,
        `select ${tests.join(", ")} from (
          select * from ${quoteName(schema)}.${quoteName(name)}
          limit ${ROWS_MAX}
        ) as first_rows`,
      ),
  );
  return columns.filter((_, index) => row[`c${index}`] === "true");
}
