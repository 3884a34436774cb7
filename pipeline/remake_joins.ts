import { typeSql } from "../lib/contract.ts";
import { readColumnsSql } from "../lib/data_files.ts";
import type { DuckDb } from "../lib/duckdb.ts";
import type { DataFile, ProcessedManifest } from "../lib/manifest.ts";
import { quoteName, quoteNames, quoteText } from "../lib/postgres.ts";
import type { ModelSql, ProjectSql } from "../lib/project_sql.ts";
import { QUARANTINE } from "../lib/quarantine_model.ts";
import type { Zone } from "../lib/zone.ts";
import { emptyTableSql, keyText } from "../transform/arrive.ts";
import type { LakeFile } from "../transform/files_of_batches.ts";
import { type ModelColumn, versionsSql } from "../transform/model_changes.ts";
import { currentState } from "../transform/transform_batch.ts";
import { writeParquet } from "../transform/write_parquet.ts";

/** A lake and its manifest of the batch that is compared. */
interface LakeAtBatch {
  zone: Zone;
  manifest: ProcessedManifest;
}

/**
 * Of a row in quarantine, joins go on to see the version before, which only
 * the lake has kept. Makes those joins anew with these versions, in place of
 * the files that the source's content alone gave; gives the files then.
 */
export async function remakeJoins(
  duckdb: DuckDb,
  options: {
    sql: ProjectSql;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
    expected: LakeAtBatch & { files: readonly LakeFile[] };
    lake: LakeAtBatch;
  },
): Promise<LakeFile[]> {
  const { sql, columns, expected, lake } = options;
  const files = [...expected.files];
  const { batch, snapshotTime, state } = expected.manifest;
  const quarantine = state[QUARANTINE.name];
  if (quarantine === undefined) return files;
  const held = readColumnsSql(expected.zone, [quarantine], [
    { name: "table_name", type: "VARCHAR" },
    { name: "row_key", type: "VARCHAR" },
  ]);
  const tables = new Set(
    (await duckdb.rows(`select distinct table_name from ${held}`))
      .map((row) => row.table_name ?? ""),
  );
  const joins = sql.models.filter((model) =>
    model.derivation === "join" && model.reads.some((name) => tables.has(name))
  );
  for (const model of joins) {
    await openTables(duckdb, { model, sql, held, expected, lake });
    const made = await writeParquet(
      duckdb,
      versionsSql(model, {
        columns: columns.get(model.name) ?? [],
        changed: model.sql,
        deleted: `select ${quoteNames(model.key)} from (${model.sql}) limit 0`,
        stamp: { batch, snapshotTime },
      }),
      { zone: expected.zone, key: `remade/${model.name}.parquet` },
    );
    const before = files.findIndex((file) => file.model === model.name);
    if (before >= 0) files.splice(before, 1);
    if (made === undefined) continue;
    files.push({ ...made, model: model.name, batch, snapshotTime });
  }
  return files;
}

/** Makes what a join reads: the source's rows, and those held back. */
async function openTables(
  duckdb: DuckDb,
  options: {
    model: ModelSql;
    sql: ProjectSql;
    /** SQL for the quarantine: table_name, row_key. */
    held: string;
    expected: LakeAtBatch;
    lake: LakeAtBatch;
  },
): Promise<void> {
  const { model, sql, held, expected, lake } = options;
  const tables = sql.tables.filter((table) => model.reads.includes(table.name));
  for (const table of tables) {
    const columns = table.columns.map(({ name, type }) => ({
      name,
      type: typeSql(type),
    }));
    const rowsIn = ({ zone, manifest }: LakeAtBatch) => {
      const state: DataFile | undefined =
        manifest.state[currentState(table.name)];
      return state === undefined
        ? `(${emptyTableSql(table)})`
        : readColumnsSql(zone, [state], columns);
    };
    await duckdb.run(
      `create or replace view current.${quoteName(table.name)} as
      from ${rowsIn(expected)} union all
      from ${rowsIn(lake)} where ${keyText(table.key)} in (
        select row_key from ${held} where table_name = ${quoteText(table.name)}
      )`,
    );
  }
}
