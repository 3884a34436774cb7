import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { readAllSql } from "../../lib/duckdb/data_files.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { onlySql, type VersionFiles } from "../rows/export_versions.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";
import type { ModelReference } from "./reference.ts";

/**
 * Finds the references of which DuckDB finds no value missing, when tables are
 * filled with these versions and nothing else. What is equal in DuckDB is equal
 * in Postgres, too.
 */
export async function proveReferences(
  duckdb: DuckDb,
  options: {
    zone: Zone;
    tables: readonly WarehouseTable[];
    versions: ReadonlyMap<string, VersionFiles>;
    /** The columns of each model's files. */
    columns: ReadonlyMap<string, { has: (column: string) => boolean }>;
  },
): Promise<ModelReference[]> {
  const { zone, tables, versions, columns } = options;
  const proven: ModelReference[] = [];
  const valuesSql = (model: string, column: string) => {
    const { files = [], only } = versions.get(model) ?? {};
    const where = only === undefined ? "where true" : onlySql(only);
    return `(select ${quoteName(column)} as value from ${
      readAllSql(zone, files)
    } ${where} and not is_delete)`;
  };
  for (const { model: { name }, references } of tables) {
    const known = references.filter(({ column, dimension, dimensionKey }) =>
      columns.get(name)?.has(column) &&
      columns.get(dimension)?.has(dimensionKey)
    );
    if (known.length === 0) continue;
    const missing = await duckdb.rows(
      known.map(({ column, dimension, dimensionKey }, index) =>
        `select ${index} as place where exists (
          from ${valuesSql(name, column)} as referring
          anti join ${valuesSql(dimension, dimensionKey)} as dimension
            using (value)
          where value is not null
        )`
      ).join(" union all "),
    );
    const places = missing.map(({ place }) => Number(place));
    proven.push(
      ...known.filter((_, index) => !places.includes(index))
        .map((reference) => ({ ...reference, model: name })),
    );
  }
  return proven;
}
