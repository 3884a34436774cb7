import { quoteName, quoteNames, quoteText } from "../../lib/sql/quote.ts";
import {
  type DerivedColumn,
  derivedColumns,
} from "../../lib/project/derived_table.ts";
import type { Model } from "../../lib/project/model.ts";
import type { TableHeader } from "../../lib/project/table_header.ts";
import { closedTable } from "../../lib/warehouse/model_tables.ts";

/** A model from which its table is derived. */
export type DerivedModel = Model & { table: TableHeader };

/**
 * Statements that create the tables of a model: for a fact one, with a row for
 * each version under a number of its own; for a dimension one with a row for
 * each key, and one with the older versions.
 */
export function derivedTableSql(
  model: DerivedModel,
  given: readonly { name: string; type: string }[],
): string[] {
  const columns = derivedColumns(model, given);
  return model.kind === "fact"
    ? factSql(model, columns)
    : dimensionSql(model, columns);
}

function factSql(
  { name, key, recordId = "record_id" }: DerivedModel,
  columns: readonly DerivedColumn[],
): string[] {
  const table = quoteName(name);
  const number = quoteName(recordId);
  const keys = quoteNames(key);
  return [
    `create table ${table} (
      ${number} bigint primary key,
      ${columnsSql(columns)},
      valid_from timestamptz not null,
      valid_to timestamptz,
      from_batch bigint not null,
      to_batch bigint
    )`,
    `create unique index on ${table} (${keys}) where to_batch is null`,
    `create unique index on ${table} (${keys}, from_batch)`,
    `create index on ${table} (from_batch)`,
    `create index on ${table} (to_batch) where to_batch is not null`,
    `comment on column ${table}.${number} is ${
      quoteText("Number of this version, given in the order of batch and key.")
    }`,
  ];
}

function dimensionSql(
  { name, key }: DerivedModel,
  columns: readonly DerivedColumn[],
): string[] {
  const closed = closedTable(name);
  const keys = quoteNames(key);
  return [
    `create table ${quoteName(name)} (
      ${columnsSql(columns)},
      valid_from timestamptz,
      valid_to timestamptz,
      from_batch bigint,
      to_batch bigint,
      is_placeholder boolean not null default false,
      primary key (${keys})
    )`,
    `create table ${quoteName(closed)} (
      ${columnsSql(columns)},
      valid_from timestamptz not null,
      valid_to timestamptz not null,
      from_batch bigint not null,
      to_batch bigint not null,
      primary key (${keys}, from_batch)
    )`,
    `comment on table ${quoteName(closed)} is ${
      quoteText(`Older versions of the rows of ${name}.`)
    }`,
  ];
}

function columnsSql(columns: readonly DerivedColumn[]): string {
  return columns.map(({ name, type, notNull }) =>
    `${quoteName(name)} ${type}${notNull ? " not null" : ""}`
  ).join(",\n      ");
}
