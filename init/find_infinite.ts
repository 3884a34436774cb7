import type { Logger } from "@logtape/logtape";
import pg from "pg";
import { messageOf } from "../lib/errors.ts";
import { inTransaction, query } from "../lib/postgres/postgres.ts";
import { quoteName } from "../lib/sql/quote.ts";
import { fullName, type SourceTable } from "./catalogue.ts";

/** Enough of a table, or of each of its partitions. */
const ROWS_MAX = 10_000;
/** What is locked for longer is passed over. */
const LOCK_TIMEOUT = "1s";
/** What is left of a table, however many partitions it has, is passed over. */
const TABLE_MS = 10_000;

/**
 * Looks for infinite values in the first rows of the tables with dates and
 * times, or of each of their partitions, in a transaction of its own: what the
 * server has sampled may be older than the value, or of another partition.
 * Returns all tables with what it found. What can't be read so is named in a
 * warning; a table whose rows are hidden from this role is passed over.
 */
export async function findInfinite(
  client: pg.Client,
  tables: readonly SourceTable[],
  options: { log: Logger; tableMs?: number },
): Promise<SourceTable[]> {
  const found: SourceTable[] = [];
  for (const table of tables) {
    const infinite = await infiniteColumns(client, table, options);
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
  { log, tableMs = TABLE_MS }: { log: Logger; tableMs?: number },
): Promise<string[]> {
  const { readable, refusal, hidesRows = false } = table;
  if (!readable || refusal !== undefined || hidesRows) return [];
  const open = new Set(
    table.columns.filter(({ hasInfinity, mayBeInfinite }) =>
      hasInfinity === true && !mayBeInfinite
    ).map(({ name }) => name),
  );
  const found: string[] = [];
  const relations = relationsOf(table);
  const deadline = performance.now() + tableMs;
  for (const [done, relation] of relations.entries()) {
    if (open.size === 0) break;
    const leftMs = Math.ceil(deadline - performance.now());
    if (leftMs <= 0) {
      log.warn(
        "{table}: whether its dates are infinite is not known beyond its newest {done} partitions: {seconds} s are over",
        { table: fullName(table), done, seconds: tableMs / 1000 },
      );
      break;
    }
    const names = await infiniteIn(client, relation, {
      columns: [...open],
      leftMs,
    }).catch((error): string[] => {
      if (!(error instanceof pg.DatabaseError)) throw error;
      log.warn(
        "{table}: whether its dates are infinite is not known: {reason}",
        { table: fullName(relation), reason: messageOf(error) },
      );
      return [];
    });
    for (const name of names) {
      open.delete(name);
      found.push(name);
    }
  }
  return found;
}

/**
 * What has the rows of a table: itself, or the partitions that can be read, the
 * newest first.
 */
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
  { columns, leftMs }: { columns: readonly string[]; leftMs: number },
): Promise<string[]> {
  const tests = columns.map((column, index) =>
    `bool_or(not isfinite(${quoteName(column)}))::text as c${index}`
  );
  const [row = {}] = await inTransaction(
    client,
    {
      readOnly: true,
      settings: {
        lock_timeout: LOCK_TIMEOUT,
        statement_timeout: `${leftMs}ms`,
      },
    },
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
