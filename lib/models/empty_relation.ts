import { type ContractTable, typeSql } from "../project/contract.ts";
import { quoteName } from "../sql/quote.ts";
import type { ModelColumn } from "./model_column.ts";

/** SQL for no rows with a model's columns. */
export function emptyModelSql(columns: readonly ModelColumn[]): string {
  const nulls = columns.map(({ name, type }) =>
    `cast(null as ${type}) as ${quoteName(name)}`
  );
  return `select ${nulls.join(", ")} where false`;
}

/** An empty table with the contract's columns and types. */
export function emptyTableSql(table: ContractTable): string {
  const columns = table.columns.map(({ name, type }) => ({
    name,
    type: typeSql(type),
  }));
  return emptyModelSql(columns);
}
