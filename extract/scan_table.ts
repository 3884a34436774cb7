import type pg from "pg";
import type { KeyIndex } from "../lib/batches/manifest.ts";
import { query, queryRow } from "../lib/postgres/postgres.ts";
import type { TextRow } from "../lib/sql/quote.ts";
import { integerKey } from "../lib/project/contract.ts";
import {
  hashedKeySql,
  integerKeySql,
  type KeySql,
  sparsenessSql,
  widthSql,
} from "./key_index_sql.ts";
import type { LiveTable } from "./live_table.ts";
import { sum } from "../lib/batches/sum.ts";

/** Rows to ship in more buckets than this, or ... */
const PLACES_MAX = 64;
/** ... in a larger share of them, are found by another scan. */
const PLACES_SHARE_MAX = 0.25;

/** The result of one scan of a table: its key buckets, and what is new. */
export interface TableScan {
  keySql: KeySql;
  /** In order of their ids. */
  buckets: ScannedBucket[];
  rows: number;
  /** Rows that no earlier batch has shipped. */
  unshipped: number;
  /** A SQL condition that is true for them; an index finds them, if few are. */
  unshippedIn: string;
  /** A SQL condition that is true for the first of the newest of these. */
  newestSql: string;
}

/** A bucket of keys as the source has it now. */
export interface ScannedBucket {
  id: string;
  rows: number;
  hash: string;
  /** The most bytes that the list of its keys can take. */
  bytes: number;
  /** That list if the keys are a run without gaps: `{[first,last]}`. */
  run: string | undefined;
}

/**
 * Scans a table once: for each bucket the number of keys, a hash that does not
 * depend on their order, and how many rows are to be shipped. Nothing else
 * leaves the server.
 */
export async function scanTable(
  client: pg.Client,
  options: {
    table: LiveTable;
    unshippedSql: string;
    previous: KeyIndex | undefined;
  },
): Promise<TableScan> {
  const keySql = await chooseKeySql(client, options);
  const found = await query(client, keySql.buckets(options.unshippedSql));
  const buckets = found.map((row) => ({
    id: row.id ?? "",
    rows: Number(row.rows),
    hash: row.hash ?? "",
    bytes: Number(row.bytes),
    run: row.run ?? undefined,
  })).sort((a, b) => Number(a.id) - Number(b.id));
  return {
    keySql,
    buckets,
    rows: sum(buckets, "rows"),
    unshipped: found.reduce((sum, row) => sum + Number(row.unshipped), 0),
    unshippedIn: placesOf(keySql, found),
    newestSql: keySql.within(newestOf(found)) ?? "true",
  };
}

/** The buckets that have rows to ship, as a condition, if they are few. */
function placesOf(keySql: KeySql, found: readonly TextRow[]): string {
  const places = found.filter(({ unshipped }) => unshipped !== "0")
    .flatMap(({ id }) => keySql.within(id ?? "") ?? []);
  const most = Math.min(PLACES_MAX, found.length * PLACES_SHARE_MAX);
  return places.length === 0 || places.length > most
    ? "true"
    : `(${places.join(" or ")})`;
}

/** The first bucket that has one of the newest rows. */
function newestOf(found: readonly TextRow[]): string {
  const [newest] = found.filter((row) => row.newest_age !== null)
    .toSorted((a, b) =>
      Number(a.newest_age) - Number(b.newest_age) ||
      Number(a.id) - Number(b.id)
    );
  return newest?.id ?? "0";
}

/**
 * Whether a table has the rows that it had in the batch before: if there are as
 * many and all have been shipped, none was deleted, since a new one has not.
 * Costs less than half of a scan for the keys.
 */
export async function isUnchanged(
  client: pg.Client,
  options: { table: LiveTable; unshippedSql: string; rows: number },
): Promise<boolean> {
  const { table, unshippedSql, rows } = options;
  const found = await queryRow(
    client,
    `select count(*) as rows, count(*) filter (where ${unshippedSql})
      as unshipped from ${table.from}`,
  );
  return found.rows === String(rows) && found.unshipped === "0";
}

/**
 * Integers are divided into buckets by value, unless they are sparse; while
 * there are no buckets to compare with, one more scan finds that out where the
 * smallest and the largest are far apart.
 */
async function chooseKeySql(
  client: pg.Client,
  options: { table: LiveTable; previous: KeyIndex | undefined },
): Promise<KeySql> {
  const { table, previous } = options;
  const hashed = hashedKeySql(table);
  const column = integerKey(table.contract);
  if (column === undefined) return hashed;
  const bySize = integerKeySql(table, column);
  if (previous !== undefined && previous.buckets.length > 0) {
    if (previous.key === hashed.signature) return hashed;
    if (previous.key === bySize.signature) return bySize;
  }
  const { wide } = await queryRow(client, widthSql(table, column));
  if (wide !== "t") return bySize;
  const { sparse } = await queryRow(client, sparsenessSql(table, column));
  return sparse === "t" ? hashed : bySize;
}
