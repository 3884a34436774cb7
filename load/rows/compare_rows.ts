import { quoteName } from "../../lib/sql/quote.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";
import { INTERVAL_COLUMNS } from "./export_versions.ts";

/** A table that should hold the rows of another one, and no others. */
export interface Reconciliation {
  name: string;
  /** A temporary table with the rows that it should hold. */
  fresh: string;
  columns: readonly string[];
  /** The columns that identify a row. */
  identity: readonly string[];
  /** Other columns by which indexes distinguish rows. */
  unique?: readonly string[];
  /** The columns that are compared as text. */
  unequal: readonly string[];
}

/** SQL for whether `reconcileRows` deletes the row with the alias `present`. */
export function isDeletedSql(
  { fresh, columns, identity, unique = [], unequal }: Reconciliation,
): string {
  return `not exists (select from ${fresh} as fresh
    where ${sameColumns(identity, "fresh", "present")} and (
      (${keepsPlace([...identity, ...unique])})
      or row(${compared(columns, unequal, "fresh.")})
        is not distinct from row(${compared(columns, unequal, "present.")})))`;
}

/**
 * SQL for whether a row is updated in place. A version that ends or reopens is
 * not: indexes distinguish it by that.
 */
export function keepsPlace(same: readonly string[]): string {
  return `${sameColumns(same, "fresh", "present")}
    and (fresh.to_batch is null) = (present.to_batch is null)`;
}

/** The columns of a dimension's rows, without the mark of placeholders. */
export function dimensionColumns(table: WarehouseTable): string[] {
  return [...table.columns, ...INTERVAL_COLUMNS];
}

/** SQL for columns as they are compared. */
export function compared(
  columns: readonly string[],
  unequal: readonly string[],
  prefix: string,
): string {
  return columns.map((column) =>
    prefix + quoteName(column) +
    (unequal.includes(column) ? '::text collate "C"' : "")
  ).join(", ");
}

/** SQL for whether two rows have the same values in these columns. */
export function sameColumns(
  columns: readonly string[],
  one: string,
  other: string,
): string {
  return columns.map(quoteName)
    .map((column) => `${one}.${column} = ${other}.${column}`).join(" and ");
}
