import type {
  DataFile,
  IngestedTable,
  ProcessedModel,
} from "../../lib/batches/manifest.ts";
import {
  type Column,
  columnsHash,
  givenColumns,
  readParquetSql,
} from "../../lib/duckdb/data_files.ts";
import { STAMP_COLUMNS } from "../../lib/duckdb/version_columns.ts";
import { EngineRefusal } from "../../lib/engine.ts";
import {
  quoteName,
  quoteNames,
  quoteText,
} from "../../lib/postgres/postgres.ts";
import { typeSql } from "../../lib/project/contract.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { type BatchWork, columnsOf } from "../batches/batch_work.ts";
import { brokenRule } from "../checks/check_versions.ts";
import { writeVersions } from "../files/write_versions.ts";
import { deletedKeysSql } from "../models/make_rows.ts";
import { emptyModelSql } from "../models/model_changes.ts";
import { filesIn, folderOf, makeFolder, removeFolder } from "./engine_files.ts";

/** A model of a batch that an engine may make. */
interface ModelWork {
  changed: ReadonlyMap<string, IngestedTable>;
  model: ModelSql;
}

/** What an engine leaves to DuckDB, and what it has done for it. */
export type ByEngine =
  /** The model is made: its versions, if there are any. */
  | { made: ProcessedModel | undefined }
  /** DuckDB makes it, by this query. */
  | { sql: string };

/**
 * Makes a model on the batch's engine, if it has one that can. The files that
 * the engine writes are what is committed where every row of the model is a new
 * version: all rows of the first batch, and later those of a row model whose
 * table was not read in full. An append-only model's rows, of which only the
 * unknown ones count, are written by DuckDB; so are a row model's if Iceberg
 * tables are published, whose readers want times and field ids that a Hive
 * table's files lack. What must be compared with the lake, and whatever breaks a rule, is made
 * by DuckDB alone.
 */
export async function makeByEngine(
  work: BatchWork,
  options: ModelWork,
): Promise<ByEngine> {
  const { engine } = work;
  const { model } = options;
  const left = { sql: model.sql };
  if (engine === undefined || !isWhole(work, options)) return left;
  const isFinal = model.derivation !== "set" && engine.commitsFiles;
  // DuckDB would take the engine's rows for those from before the batch, too.
  if (!isFinal && model.derivation === "join") return left;
  const columns = columnsOf(work, model.name);
  const problem = engine.runner.problemOf(model, columns);
  if (problem !== undefined) return leave(work, { model, problem });
  for (const table of model.reads) await showTable(work, { model, table });
  const stamps = isFinal ? stampsOf(work) : [];
  const folder = folderOf(work, {
    name: isFinal ? model.name : `made.${model.name}`,
    isState: !isFinal,
  });
  await makeFolder(work, folder);
  try {
    const { rows } = await engine.runner.run({
      model,
      columns,
      stamps,
      folder,
    });
    const files = await filesIn(work, {
      folder,
      rows,
      columns: [...columns, ...stamps],
    });
    report(engine, { model: model.name, rows, files: files.length });
    const sql = rowsSql(work, { files, columns });
    if (!isFinal) {
      engine.folders.push(folder);
      return { sql };
    }
    const made = await withDeletes(work, { ...options, files, sql });
    if (made !== undefined) {
      return { made: made.files.length === 0 ? undefined : made };
    }
    // What breaks a rule is found and held by DuckDB, which makes it again.
    await removeFolder(work, folder);
    return left;
  } catch (error) {
    // What stays is garbage, which sweep removes.
    await removeFolder(work, folder).catch(() => {});
    if (!(error instanceof EngineRefusal)) throw error;
    return leave(work, { model, problem: error.message });
  }
}

function report(
  { log, runner }: NonNullable<BatchWork["engine"]>,
  made: { model: string; rows: number; files: number },
): void {
  log.info("{model}: {rows} rows in {files} files by {engine}", {
    ...made,
    engine: runner.about.name,
  });
}

/** Whether the rows that the model gives are all to be added. */
function isWhole(work: BatchWork, { changed, model }: ModelWork): boolean {
  if (work.held.has(model.name)) return false;
  if (work.previous === undefined || model.derivation === "set") return true;
  return model.derivation === "row" &&
    model.reads.every((table) => changed.get(table)?.fullRead === undefined);
}

function leave(
  { engine }: BatchWork,
  { model, problem }: { model: ModelSql; problem: string },
): ByEngine {
  engine?.log.warn("{model} is made by DuckDB, not by {engine}: {problem}", {
    model: model.name,
    engine: engine.runner.about.name,
    problem,
  });
  return { sql: model.sql };
}

/** Writes a table's rows for the engine, once in a batch. */
async function showTable(
  work: BatchWork,
  { model, table }: { model: ModelSql; table: string },
): Promise<void> {
  const { engine, duckdb, sql, processed } = work;
  const schema = model.derivation === "join" ? "current" : "changed";
  const id = `${schema}.${table}`;
  const contract = sql.tables.find(({ name }) => name === table);
  if (engine === undefined || contract === undefined) return;
  if (engine.shown.has(id)) return;
  const columns = contract.columns.map(({ name }) => name);
  const rows = `${schema === "current" ? "after" : schema}.${quoteName(table)}`;
  const folder = folderOf(work, { name: id, isState: true });
  const path = processed.locate(`${folder}/1.parquet`);
  await makeFolder(work, folder);
  await duckdb.run(
    `copy (select ${quoteNames(columns)} from ${rows}) to ${quoteText(path)}
    (format parquet, compression zstd)`,
  );
  const described = await givenColumns(
    duckdb,
    `select ${
      contract.columns.map(({ name, type }) =>
        `cast(null as ${typeSql(type)}) as ${quoteName(name)}`
      ).join(", ")
    }`,
  );
  await engine.runner.register({ schema, table, columns: described, folder });
  engine.shown.add(id);
  engine.folders.push(folder);
}

/** A batch's number and time, as every version has them. */
function stampsOf({ input }: BatchWork): (Column & { value: string })[] {
  const time = input.snapshotTime.replace("T", " ").replace(/Z$/, "");
  const values: Readonly<Record<string, string>> = {
    batch: String(input.batch),
    is_delete: "false",
    snapshot_time: `timestamp ${quoteText(time)}`,
  };
  return STAMP_COLUMNS.map((column) => ({
    ...column,
    value: values[column.name] ?? "null",
  }));
}

/**
 * Adds the deletes, which DuckDB finds, to what the engine wrote; undefined if
 * the rows break a rule.
 */
async function withDeletes(
  work: BatchWork,
  options: ModelWork & { files: DataFile[]; sql: string },
): Promise<ProcessedModel | undefined> {
  const { model, files, sql } = options;
  const columns = columnsOf(work, model.name);
  const deletes = model.derivation !== "row"
    ? undefined
    : await writeVersions(work, {
      part: 2,
      model,
      columns,
      changed: emptyModelSql(columns),
      deleted: deletedKeysSql(work, { model: { ...model, sql }, columns }),
    });
  const all = [...files, ...deletes?.files ?? []];
  if (files.length > 0) {
    const error = await brokenRule(work.duckdb, {
      model,
      columns,
      rows: readParquetSql(work.processed, all),
      areVersions: true,
      batch: work.input.batch,
    });
    if (error !== undefined) {
      for (const { key } of deletes?.files ?? []) {
        await work.processed.remove(key);
      }
      return undefined;
    }
  }
  for (const { bytes } of files) work.progress.add({ bytes });
  return {
    files: all,
    deletes: deletes?.deletes ?? 0,
    columns: columnsHash([...columns, ...STAMP_COLUMNS]),
  };
}

/** A select of a model's rows from the files that the engine wrote. */
function rowsSql(
  work: BatchWork,
  options: { files: readonly DataFile[]; columns: readonly Column[] },
): string {
  const { files, columns } = options;
  if (files.length === 0) return emptyModelSql(columns);
  return `select ${quoteNames(columns.map(({ name }) => name))}
    from ${readParquetSql(work.processed, files)}`;
}
