import { emptyModelSql } from "../../lib/models/empty_relation.ts";
import type { ModelColumn } from "../../lib/models/model_column.ts";
import {
  type DataFile,
  type IngestedTable,
  type IngestionManifest,
  rowsOf,
} from "../../lib/batches/manifest.ts";
import type { Progress } from "../../lib/cli/progress.ts";
import { readParquetSql } from "../../lib/duckdb/data_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import {
  QUARANTINE,
  QUARANTINE_COLUMNS,
} from "../../lib/project/quarantine_model.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import type { TypedTable } from "../shares/typed_table.ts";
import { emptyLandedTables, landTable, ROW_KEY } from "./land_table.ts";

/** The quarantine before and after a batch, as relations in DuckDB. */
export const QUARANTINE_BEFORE = `known_before.${quoteName(QUARANTINE.name)}`;
export const QUARANTINE_AFTER = `known_after.${quoteName(QUARANTINE.name)}`;

/** The quarantine's columns with DuckDB's names of their types. */
export const QUARANTINE_TYPES: readonly ModelColumn[] = QUARANTINE_COLUMNS.map(
  (name) => ({ name, type: "VARCHAR" }),
);

/** Tables with rows or deletes in a batch, or read in full by it. */
export function changedTables(
  input: IngestionManifest,
): ReadonlyMap<string, IngestedTable> {
  return new Map(
    Object.entries(input.tables).filter(([, table]) =>
      table.rows.length + table.deletes.length > 0 ||
      table.fullRead !== undefined
    ),
  );
}

/** SQL for the quarantine as the batch before kept it. */
export function quarantineStateSql(
  state: DataFile | undefined,
  processed: Zone,
): string {
  return state === undefined
    ? emptyModelSql(QUARANTINE_TYPES)
    : `from ${readParquetSql(processed, [state])}`;
}

/** Uses this SQL's rows as the quarantine before the batch. */
export async function openQuarantine(
  duckdb: DuckDb,
  before: string,
): Promise<void> {
  await duckdb.run(
    `create or replace table ${QUARANTINE_BEFORE} as ${before}`,
  );
}

/**
 * Reads a batch's tables and makes the quarantine after it: the earlier rows,
 * less those that came again or are gone, and this batch's rows that can't be
 * read. For a table that was read in full, only the latter remain. Resolves to
 * the number of rows.
 */
export async function quarantineRows(
  duckdb: DuckDb,
  options: {
    input: IngestionManifest;
    sql: ProjectSql;
    ingestion: Zone;
    progress: Progress;
    shares?: ReadonlyMap<string, TypedTable>;
  },
): Promise<number> {
  const { input, sql, ingestion, progress, shares } = options;
  const changed = changedTables(input);
  const unchanged = sql.tables.filter((table) => !changed.has(table.name));
  await duckdb.run(unchanged.flatMap(emptyLandedTables).join(";\n"));
  for (const table of sql.tables) {
    const ingested = changed.get(table.name);
    if (ingested === undefined) continue;
    await landTable(duckdb, {
      table,
      ingested,
      zone: ingestion,
      typed: shares?.get(table.name),
      quarantineSql: sql.quarantine.get(table.name),
    });
    progress.add({ rows: rowsOf(ingested) });
  }
  const tables = sql.tables.filter((table) => changed.has(table.name));
  const whole = tables.filter((table) =>
    changed.get(table.name)?.fullRead !== undefined
  );
  const touched = tables.flatMap((table) =>
    ["arrived", "gone"].map((schema) =>
      `select ${quoteText(table.name)}, ${ROW_KEY}
      from ${schema}.${quoteName(table.name)}`
    )
  );
  const added = tables.map((table) => {
    const fields = table.columns.map(({ name: column }) =>
      `${quoteText(column)}: arrived.${quoteName(column)}`
    );
    return `select ${quoteText(table.name)} as table_name, bad.row_key,
        bad.reason, cast({${fields.join(", ")}} as varchar) as source_row
      from quarantined.${quoteName(table.name)} as bad
      inner join arrived.${quoteName(table.name)} as arrived
        on arrived.${ROW_KEY} = bad.row_key`;
  });
  const kept = `from ${QUARANTINE_BEFORE}` + (touched.length === 0 ? "" : `
    anti join (${touched.join(" union all ")})
      as touched (table_name, row_key) using (table_name, row_key)`) +
    (whole.length === 0 ? "" : `
    where table_name not in (${
      whole.map((table) => quoteText(table.name)).join(", ")
    })`);
  const [created] = await duckdb.rows(
    `create or replace table ${QUARANTINE_AFTER} as
    ${[kept, ...added].join(" union all ")}`,
  );
  return Number(created?.Count);
}
