import {
  emptyModelSql,
  emptyTableSql,
} from "../../lib/models/empty_relation.ts";
import type {
  DataFile,
  IngestedTable,
  ProcessedModel,
} from "../../lib/batches/manifest.ts";
import {
  type Column,
  columnsHash,
  describeColumns,
  readParquetSql,
} from "../../lib/duckdb/data_files.ts";
import { STAMP_COLUMNS } from "../../lib/duckdb/version_columns.ts";
import { EngineRefusal } from "../../lib/engine.ts";
import { quoteName, quoteNames, quoteText } from "../../lib/sql/quote.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { type BatchWork, columnsOf } from "../batches/batch_work.ts";
import { brokenRule } from "../checks/broken_rule.ts";
import { writeVersions } from "../files/write_versions.ts";
import { typedFolders } from "../shares/typed_folders.ts";
import { deletedKeysSql } from "../models/make_rows.ts";
import {
  filesIn,
  folderOf,
  makeEngineFolder,
  removeEngineFolder,
} from "./engine_files.ts";

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
 * unknown ones count, are written by DuckDB; so are all where a file of the
 * engine's can't be the lake's: if Iceberg tables are published, whose readers
 * want times and field ids that a Hive table's files lack, or if it carries a
 * column's values in another type. What must be compared with the lake, and
 * whatever breaks a rule, is made by DuckDB alone.
 */
export async function makeByEngine(
  work: BatchWork,
  options: ModelWork,
): Promise<ByEngine> {
  const { engine } = work;
  const { model } = options;
  const left = { sql: model.sql };
  if (engine === undefined || !isWhole(work, options)) return left;
  const columns = columnsOf(work, model.name);
  const isFinal = model.derivation !== "set" && engine.commitsFiles &&
    [...columns, ...STAMP_COLUMNS].every((column) =>
      carried(engine, column).type === column.type
    );
  const problem = engine.runner.problemOf(model, columns);
  if (problem !== undefined) return leaveToDuckDb(work, { model, problem });
  for (const table of model.reads) await provideTable(work, { model, table });
  const stamps = isFinal ? stampsOf(work) : [];
  const folder = folderOf(work, {
    name: isFinal ? model.name : `made.${model.name}`,
    isState: !isFinal,
  });
  await makeEngineFolder(work, folder);
  try {
    const input = { model, columns, stamps, folder };
    const { rows, scannedBytes } = await engine.runner.run(input);
    const files = await filesIn(work, {
      folder,
      rows,
      columns: [...columns, ...stamps].map((one) => carried(engine, one)),
    });
    report(engine, {
      model: model.name,
      rows,
      files: files.length,
      scannedBytes,
    });
    const sql = rowsSql(work, { files, columns });
    if (!isFinal) engine.folders.push(folder);
    // A join's query would be run for before the batch, too.
    if (!isFinal && model.derivation !== "join") return { sql };
    const made = await asVersions(work, {
      ...options,
      files: isFinal ? files : [],
      isFinal,
      sql,
    });
    if (made !== undefined) {
      return { made: made.files.length === 0 ? undefined : made };
    }
    // What breaks a rule is found and held by DuckDB, which makes it again.
    await removeEngineFolder(work, folder);
    return left;
  } catch (error) {
    // What stays is garbage, which sweep removes.
    await removeEngineFolder(work, folder).catch(() => {});
    if (!(error instanceof EngineRefusal)) throw error;
    return leaveToDuckDb(work, { model, problem: error.message });
  }
}

function report(
  { log, runner }: NonNullable<BatchWork["engine"]>,
  made: {
    model: string;
    rows: number;
    files: number;
    scannedBytes: number | undefined;
  },
): void {
  const scanned = made.scannedBytes === undefined
    ? ""
    : ", which read {scannedBytes} bytes";
  log.info(`{model}: {rows} rows in {files} files by {engine}${scanned}`, {
    ...made,
    engine: runner.about.name,
  });
}

/** A column with the type that it has in the engine's files. */
function carried(
  { runner }: NonNullable<BatchWork["engine"]>,
  { name, type }: Column,
): Column {
  return { name, type: runner.carriedType(type) };
}

/** Whether the rows that the model gives are all to be added. */
function isWhole(work: BatchWork, { changed, model }: ModelWork): boolean {
  if (work.held.has(model.name)) return false;
  if (work.previous === undefined || model.derivation === "set") return true;
  return model.derivation === "row" &&
    model.reads.every((table) => changed.get(table)?.fullRead === undefined);
}

function leaveToDuckDb(
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

/**
 * Lets the engine read a table's rows, once in a batch: files that other
 * processes have written, or else one that is written here.
 */
async function provideTable(
  work: BatchWork,
  { model, table }: { model: ModelSql; table: string },
): Promise<void> {
  const { engine, duckdb, sql, processed } = work;
  const schema = model.derivation === "join" ? "current" : "changed";
  const id = `${schema}.${table}`;
  const contract = sql.tables.find(({ name }) => name === table);
  if (engine === undefined || contract === undefined) return;
  if (engine.shown.has(id)) return;
  const described = await describeColumns(duckdb, emptyTableSql(contract));
  const columns = described.map((column) => carried(engine, column));
  const typed = await typedFolders(work, { table: contract, schema, columns });
  for (const one of typed) {
    await engine.runner.register({ schema, table, columns: described, ...one });
  }
  if (typed.length > 0) {
    engine.shown.add(id);
    return;
  }
  const rows = `${schema === "current" ? "after" : schema}.${quoteName(table)}`;
  const folder = folderOf(work, { name: id, isState: true });
  const path = processed.locate(`${folder}/1.parquet`);
  engine.folders.push(folder);
  await makeEngineFolder(work, folder);
  const values = described.map((column, index) =>
    castSql(column, columns[index] ?? column)
  );
  const [written] = await duckdb.rows(
    `copy (select ${values.join(", ")} from ${rows}) to ${quoteText(path)}
    (format parquet, compression zstd, return_stats)`,
  );
  await engine.runner.register({
    schema,
    table,
    columns: described,
    folder,
    rows: Number(written?.count),
  });
  engine.shown.add(id);
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

/** A column as another type, by which it is given. */
function castSql(column: Column, { type }: Column): string {
  const name = quoteName(column.name);
  return column.type === type ? name : `cast(${name} as ${type}) as ${name}`;
}

/**
 * The files that the engine wrote, or else its rows in a file of DuckDB's, with
 * the deletes, which DuckDB finds; undefined if the rows break a rule.
 */
async function asVersions(
  work: BatchWork,
  options: ModelWork & { files: DataFile[]; isFinal: boolean; sql: string },
): Promise<ProcessedModel | undefined> {
  const { model, files, isFinal, sql } = options;
  const columns = columnsOf(work, model.name);
  const empty = emptyModelSql(columns);
  const isRow = model.derivation === "row";
  const own = isFinal && !isRow ? undefined : await writeVersions(work, {
    part: 2,
    model,
    columns,
    changed: isFinal ? empty : sql,
    deleted: isRow
      ? deletedKeysSql(work, { model: { ...model, sql }, columns })
      : `select ${quoteNames(model.key)} from (${empty})`,
  });
  const all = [...files, ...own?.files ?? []];
  if (all.length > 0) {
    const error = await brokenRule(work.duckdb, {
      model,
      columns,
      rows: readParquetSql(work.processed, all),
      areVersions: true,
      batch: work.input.batch,
    });
    if (error !== undefined) {
      for (const { key } of own?.files ?? []) {
        await work.processed.remove(key);
      }
      return undefined;
    }
  }
  for (const { bytes } of files) work.progress.add({ bytes });
  return {
    files: all,
    deletes: own?.deletes ?? 0,
    columns: columnsHash([...columns, ...STAMP_COLUMNS]),
  };
}

/** A select of a model's rows from the files that the engine wrote. */
function rowsSql(
  work: BatchWork,
  options: { files: readonly DataFile[]; columns: readonly Column[] },
): string {
  const { files, columns } = options;
  const { engine } = work;
  if (files.length === 0 || engine === undefined) return emptyModelSql(columns);
  const values = columns.map((column) =>
    castSql(carried(engine, column), column)
  );
  return `select ${values.join(", ")}
    from ${readParquetSql(work.processed, files)}`;
}
