import type { ModelColumn } from "../../lib/models/model_column.ts";
import { dataKey } from "../../lib/batches/batch_log.ts";
import type { DataFile, ProcessedModel } from "../../lib/batches/manifest.ts";
import { type Column, columnsHash } from "../../lib/duckdb/data_files.ts";
import { STAMP_COLUMNS } from "../../lib/duckdb/version_columns.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import type { BatchWork } from "../batches/batch_work.ts";
import {
  type BatchStamp,
  differenceSql,
  missingKeysSql,
  versionsSql,
} from "../models/model_changes.ts";
import { foundKeyRange, keyRangeSql } from "./key_range.ts";
import { writeAndRead } from "./write_parquet.ts";

/** A relation before the batch and after it, as names or SQL. */
interface StateChange {
  before: string;
  after: string;
}

/**
 * Writes the versions that the batch adds to a model, as a file of the zone;
 * without any, writes no file and gives undefined.
 */
export async function writeVersions(
  work: BatchWork,
  options: {
    model: Pick<ModelSql, "name" | "key">;
    columns: readonly ModelColumn[];
    changed: string;
    deleted: string;
    /** Which of the batch's files it is; the first by default. */
    part?: number;
  },
): Promise<ProcessedModel | undefined> {
  const { model, columns, changed, deleted, part = 1 } = options;
  const { batch, snapshotTime } = work.input;
  const stamp: BatchStamp = { batch, snapshotTime };
  const written = await writeVersionFile(work, {
    model,
    columns,
    versions: versionsSql(model, { columns, changed, deleted, stamp }),
    part: `${part}.parquet`,
  });
  return written && {
    files: [written.file],
    deletes: written.deletes,
    columns: written.columns,
  };
}

/**
 * Writes versions with their stamps, given as SQL, as a file of the zone;
 * without any, writes no file and gives undefined.
 */
export async function writeVersionFile(
  work: Pick<
    BatchWork,
    "duckdb" | "processed" | "input" | "runId" | "progress"
  >,
  options: {
    model: Pick<ModelSql, "name" | "key">;
    columns: readonly ModelColumn[];
    versions: string;
    part: string;
    /** Columns of the versions besides the model's and the stamps. */
    beside?: readonly Column[];
  },
): Promise<{ file: DataFile; deletes: number; columns: string } | undefined> {
  const { duckdb, processed, input, runId, progress } = work;
  const { model, columns, versions, part, beside = [] } = options;
  const key = dataKey(model.name, { batch: input.batch, runId, part });
  const written = [...columns, ...STAMP_COLUMNS];
  const made = await writeAndRead(duckdb, versions, {
    zone: processed,
    key,
    columns: [...written, ...beside],
    aggregates: `count(*) filter (where is_delete) as deletes,
      ${fileColumnsSql(written)} as columns,
      ${keyRangeSql(model.key, columns)} as range`,
  });
  if (made === undefined) return undefined;
  const { file, found } = made;
  progress.add({ bytes: file.bytes });
  return {
    file: { ...file, ...foundKeyRange(found.range, model.key) },
    deletes: Number(found.deletes),
    columns: fileColumnsHash(written, found.columns),
  };
}

/** Writes the difference between a relation before the batch and after it. */
export async function writeDifference(
  work: BatchWork,
  options: StateChange & {
    model: Pick<ModelSql, "name" | "key">;
    columns: readonly ModelColumn[];
  },
): Promise<ProcessedModel | undefined> {
  const { model, columns, before, after } = options;
  return await writeVersions(work, {
    model,
    columns,
    changed: differenceSql(columns, { of: after, without: before }),
    deleted: missingKeysSql(model.key, { of: before, without: after }),
  });
}

/**
 * SQL for these columns' types in a relation, as one aggregate over it: a file
 * may store another type than its model gives.
 */
function fileColumnsSql(columns: readonly ModelColumn[]): string {
  const types = columns.map(({ name }) => `typeof(${quoteName(name)})`);
  return `to_json(any_value([${types.join(", ")}]))`;
}

/** The hash of those columns, from that aggregate's result. */
function fileColumnsHash(
  columns: readonly ModelColumn[],
  types: string | null | undefined,
): string {
  const found: string[] = JSON.parse(types ?? "[]");
  return columnsHash(
    columns.map(({ name }, index) => ({ name, type: found[index] ?? "" })),
  );
}
