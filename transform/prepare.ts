import type { DuckDb } from "../lib/duckdb.ts";
import { quoteName } from "../lib/postgres.ts";
import type { ProjectSql } from "../lib/project_sql.ts";
import { emptyTableSql } from "./arrive.ts";
import { checkSelect } from "./check_select.ts";
import { type ModelColumn, modelColumns } from "./model_changes.ts";

const SCHEMAS = [
  "arrived",
  "quarantined",
  "changed",
  "gone",
  "deleted",
  "current",
  "before",
  "after",
  "result_before",
  "result_after",
];

/**
 * Makes the schemas, and says which columns each model gives. Throws a
 * `StageError` when the project's SQL reads what it may not.
 */
export async function prepare(
  duckdb: DuckDb,
  sql: ProjectSql,
): Promise<Map<string, readonly ModelColumn[]>> {
  for (const schema of SCHEMAS) await duckdb.run(`create schema ${schema}`);
  for (const table of sql.tables) {
    for (const schema of ["changed", "current"]) {
      await duckdb.run(
        `create view ${schema}.${quoteName(table.name)} as ${
          emptyTableSql(table)
        }`,
      );
    }
  }
  const queries = [
    ...sql.models.map((model) => ({
      name: `models/${model.name}`,
      sql: model.sql,
    })),
    ...[...sql.quarantine].map(([table, text]) => ({
      name: `quarantine/${table}`,
      sql: text,
    })),
  ];
  for (const query of queries) await checkSelect(duckdb, query);
  const columns = new Map<string, readonly ModelColumn[]>();
  for (const model of sql.models) {
    columns.set(model.name, await modelColumns(duckdb, model.sql));
  }
  return columns;
}
