import { shortChecksum } from "../zone/checksum.ts";
import { quoteName, quoteNames, quoteText } from "../sql/quote.ts";
import type { DuckDb } from "./duckdb.ts";
import type { Zone } from "../zone/zone.ts";

/** The columns that a query gives, with their types in DuckDB. */
export async function describeColumns(
  duckdb: Pick<DuckDb, "rows">,
  select: string,
): Promise<Column[]> {
  const rows = await duckdb.rows(`describe ${select}`);
  return rows.map(({ column_name, column_type }) => ({
    name: column_name ?? "",
    type: column_type ?? "",
  }));
}

/**
 * SQL that reads Parquet files of the zone as one relation. Folder names such
 * as `batch=1` don't become columns.
 */
export function readParquetSql(
  zone: Zone,
  files: readonly { key: string }[],
): string {
  const paths = files.map((file) => quoteText(zone.locate(file.key)));
  return `read_parquet([${paths.join(", ")}], hive_partitioning = false)`;
}

/** The same for files with different columns: the relation has all of them. */
export function readAllSql(
  zone: Zone,
  files: readonly { key: string }[],
): string {
  return readParquetSql(zone, files)
    .replace(/\)$/, ", union_by_name = true)");
}

/**
 * The same with exactly these columns: those that older files lack are null,
 * others are left out.
 */
export function readColumnsSql(
  zone: Zone,
  files: readonly { key: string }[],
  columns: readonly Column[],
): string {
  return withColumnsSql(readAllSql(zone, files), columns);
}

/**
 * The same for files whose columns are known: files with the same columns are
 * read together, so that DuckDB opens one of each set to learn its columns.
 * Read all together, it would open every file.
 */
export function readLikeSql(
  zone: Zone,
  files: readonly { key: string; columns?: string }[],
  columns: readonly Column[],
  options: {
    /** Columns that all of these files have, and that their hash leaves out. */
    beside?: readonly Column[];
  } = {},
): string {
  const { beside = [] } = options;
  const wanted = columnsHash(columns);
  const all = [...columns, ...beside];
  const names = quoteNames(all.map((column) => column.name));
  const sets = Map.groupBy(files, (file) => file.columns);
  const reads = [...sets].map(([hash, alike]) =>
    hash === undefined
      ? readColumnsSql(zone, alike, all)
      : hash === wanted
      ? `(select ${names} from ${readParquetSql(zone, alike)})`
      : withColumnsSql(readParquetSql(zone, alike), all)
  );
  return reads.length === 1
    ? reads.join()
    : `(${reads.map((read) => `from ${read}`).join(" union all by name ")})`;
}

/** A column, with DuckDB's name of its type. */
export interface Column {
  name: string;
  type: string;
}

/** A short hash of columns: files with the same hash have the same columns. */
export function columnsHash(columns: readonly Column[]): string {
  const content = columns.map(({ name, type }) => [name, type]);
  return shortChecksum(new TextEncoder().encode(JSON.stringify(content)));
}

/** SQL that gives a relation these columns; those that it lacks are null. */
function withColumnsSql(relation: string, columns: readonly Column[]): string {
  const nulls = columns.map(({ name, type }) =>
    `cast(null as ${type}) as ${quoteName(name)}`
  );
  return `(select ${quoteNames(columns.map((column) => column.name))} from (
    select * from ${relation} union all by name select ${nulls.join(", ")}
    where false))`;
}
