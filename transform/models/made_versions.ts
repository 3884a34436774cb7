import type { ModelColumn } from "../../lib/models/model_column.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { GroupWork } from "../batches/group_work.ts";

/** What a version has besides its model's columns. */
export const VERSION: readonly ModelColumn[] = [
  { name: "batch", type: "BIGINT" },
  { name: "is_delete", type: "BOOLEAN" },
];

/** The table in which a model's versions of a group are collected. */
export function made({ name }: ModelSql): string {
  return `made.${quoteName(name)}`;
}

/** Adds the versions that a query gives to those of a model. */
export async function insertVersions(
  { duckdb }: Pick<GroupWork, "duckdb">,
  { model, versions }: { model: ModelSql; versions: string },
): Promise<void> {
  await duckdb.run(`insert into ${made(model)} by name ${versions}`);
}
