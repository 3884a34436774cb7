import type pg from "pg";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { wantedSchema } from "./wanted_schema.ts";
import missingIndexesSql from "./missing_indexes.sql" with { type: "text" };
import { wantedIndexes } from "./wanted_indexes.ts";

/**
 * The indexes and keys that somebody dropped from the warehouse's tables, as
 * statements that make them again; none where another serves in its place, nor
 * of tables with partitions or those that a company makes by itself. Load makes
 * none of them: on a large table that takes long and keeps its readers out.
 */
export async function missingIndexes(
  client: pg.Client,
  sql: ProjectSql,
): Promise<string[]> {
  const { models, isDerived } = wantedSchema(sql);
  const rows = await query(client, missingIndexesSql, [
    JSON.stringify(wantedIndexes(models, isDerived)),
  ]);
  return rows.map(({ statement }) => statement ?? "");
}
