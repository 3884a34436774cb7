import { emptyModelSql } from "../../lib/models/empty_relation.ts";
import type { ModelColumn } from "../../lib/models/model_column.ts";
import { dataKey } from "../../lib/batches/batch_log.ts";
import type {
  DataFile,
  IngestedTable,
  IngestionManifest,
  LiveFile,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import type { Progress } from "../../lib/cli/progress.ts";
import { readLikeSql } from "../../lib/duckdb/data_files.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { STAMP_COLUMNS } from "../../lib/duckdb/version_columns.ts";
import { StageError } from "../../lib/errors.ts";
import type { ModelSql, ProjectSql } from "../../lib/project/project_sql.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { openVersionsSql } from "../models/model_changes.ts";
import type { BatchEngine } from "../engine/batch_engine.ts";
import type { TypedTable } from "../shares/typed_table.ts";
import { writeParquet } from "../files/write_parquet.ts";

/** The inputs and state of one batch's transform. */
export interface BatchWork {
  duckdb: DuckDb;
  sql: ProjectSql;
  columns: ReadonlyMap<string, readonly ModelColumn[]>;
  ingestion: Zone;
  processed: Zone;
  input: IngestionManifest;
  previous: ProcessedManifest | undefined;
  /** The checked files with a model's versions of all earlier batches. */
  earlierFiles: (model: string) => Promise<readonly LiveFile[]>;
  runId: string;
  progress: Progress;
  quarantineRowsMax: number;
  /** See `CompactionBounds`. */
  stateRowsMin: number;
  /**
   * The models that hold up this batch or earlier ones that are not committed
   * yet; a batch that repairs one removes it.
   */
  held: Map<string, HeldModel>;
  /** What other processes have typed of its CSV, by table. */
  shares?: ReadonlyMap<string, TypedTable>;
  /** What runs models in DuckDB's place, if the batch is large. */
  engine?: BatchEngine | undefined;
}

/** Rows of a model that can't be committed as they are. */
export interface HeldModel {
  error: StageError;
  /**
   * The tables that must be read in full to repair it, if it is a set or its
   * query failed at a row.
   */
  unread: ReadonlySet<string>;
}

/** The content that a batch adds to the lake. */
export type BatchContent = Pick<
  ProcessedManifest,
  "models" | "state" | "quarantined" | "postponed"
>;

/** The content of a batch in which nothing changed yet. */
export function contentBefore(
  previous: ProcessedManifest | undefined,
): BatchContent {
  return {
    models: {},
    state: { ...previous?.state },
    quarantined: previous?.quarantined ?? 0,
    ...previous?.postponed === undefined
      ? {}
      : { postponed: previous.postponed },
  };
}

/** The columns of a model, as `registerModels` found them. */
export function columnsOf(
  work: BatchWork,
  model: string,
): readonly ModelColumn[] {
  const columns = work.columns.get(model);
  if (columns === undefined) throw new Error(`No columns of "${model}"`);
  return columns;
}

/** Whether the batch may change the model, or an earlier one left it behind. */
export function isAffected(
  work: BatchWork,
  options: { changed: ReadonlyMap<string, IngestedTable>; model: ModelSql },
): boolean {
  const { changed, model } = options;
  return model.reads.some((table) => changed.has(table)) ||
    isPostponed(work, model);
}

/** Whether the batch before left the model unchanged; see `makeJoin`. */
export function isPostponed(
  { previous }: BatchWork,
  { name }: Pick<ModelSql, "name">,
): boolean {
  return previous?.postponed?.includes(name) === true;
}

/**
 * SQL for the model's rows in the lake, as published, if a table that it reads
 * was read in full or the batch before left the model behind. Any drift is
 * repaired against it.
 */
export async function publishedSql(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    model: Pick<ModelSql, "name" | "key" | "reads">;
    columns: readonly ModelColumn[];
  },
): Promise<string | undefined> {
  const { changed, model, columns } = options;
  const whole = model.reads.some((table) =>
    changed.get(table)?.fullRead !== undefined
  );
  const compares = whole || isPostponed(work, model);
  if (!compares || work.previous === undefined) return undefined;
  const files = await work.earlierFiles(model.name);
  return files.length === 0 ? emptyModelSql(columns) : openVersionsSql(model, {
    columns,
    files: readLikeSql(work.processed, files, [
      ...columns,
      ...STAMP_COLUMNS,
    ]),
  });
}

/** Rows that the batch before kept under a name, checked before use. */
export async function stateBefore(
  work: BatchWork,
  name: string,
): Promise<DataFile | undefined> {
  const state = work.previous?.state[name];
  if (state !== undefined) await checkFiles(work.processed, [state]);
  return state;
}

/** Keeps rows under a name for the next batch; see `stateBefore`. */
export async function keepState(
  work: BatchWork,
  options: { name: string; select: string; content: BatchContent },
): Promise<void> {
  const { name, content } = options;
  const file = await writeState(work, options);
  if (file === undefined) delete content.state[name];
  else content.state[name] = file;
}

/** Writes rows that the next batch needs; without any, gives undefined. */
export async function writeState(
  work: BatchWork,
  { name, select }: { name: string; select: string },
): Promise<DataFile | undefined> {
  const { duckdb, processed, input, runId } = work;
  const { batch } = input;
  return await writeParquet(duckdb, select, {
    zone: processed,
    key: dataKey(name, { isState: true, batch, runId, part: "1.parquet" }),
  });
}
