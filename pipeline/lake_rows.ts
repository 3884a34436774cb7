import { readColumnsSql } from "../lib/data_files.ts";
import type { Model } from "../lib/model.ts";
import { quoteNames } from "../lib/postgres.ts";
import { versionIntervalsSql } from "../lib/version_intervals.ts";
import type { Zone } from "../lib/zone.ts";
import type { LakeFile } from "../transform/files_of_batches.ts";
import {
  emptyModelSql,
  type ModelColumn,
  STAMP_COLUMNS,
} from "../transform/model_changes.ts";
import { endedVersions, type HashedRows, hashRowsSql } from "./digest.ts";
import type { HashedColumn } from "./row_hash.ts";

/** Committed files of a lake, up to some batch. */
export interface Lake {
  zone: Zone;
  files: readonly LakeFile[];
}

/** A model with the columns that the lake has of it. */
export type ModelInLake =
  & Pick<Model, "name" | "key" | "derivation" | "reads">
  & {
    columns: readonly HashedColumn[];
  };

const STAMPS = STAMP_COLUMNS.map((column) => column.name);

/** DuckDB SQL for all versions of a model, deletes among them, with stamps. */
export function versionsOf(lake: Lake, model: ModelInLake): string {
  const columns: ModelColumn[] = [...model.columns, ...STAMP_COLUMNS];
  const files = lake.files.filter((file) => file.model === model.name);
  return files.length === 0
    ? `(${emptyModelSql(columns)})`
    : readColumnsSql(lake.zone, files, columns);
}

/** DuckDB SQL for the rows of a model that hold after the last of the files. */
export function openVersionsOf(lake: Lake, model: ModelInLake): string {
  return openSql(versionsOf(lake, model), model);
}

/** The rows of a model that hold in the lake, hashed by some of its columns. */
export function rowsInLake(
  lake: Lake,
  model: ModelInLake,
  columns: readonly HashedColumn[] = model.columns,
): HashedRows {
  const key = model.columns.filter(({ name }) => model.key.includes(name));
  // Hashed first: the window that finds what holds then moves little.
  const versions = hashRowsSql(versionsOf(lake, model), {
    engine: "DuckDB",
    key,
    columns,
    besides: STAMPS,
  });
  return {
    engine: "DuckDB",
    sql: openSql(`(${versions})`, model),
    key,
  };
}

/** The versions of a model that ended in the lake, hashed by some columns. */
export function endedInLake(
  lake: Lake,
  model: ModelInLake,
  columns: readonly HashedColumn[],
): HashedRows {
  const key = model.columns.filter(({ name }) => model.key.includes(name));
  const names = quoteNames(model.key);
  const all = versionsOf(lake, model);
  // Most keys have one version only, which has not ended.
  const several = `(select * from ${all} where (${names}) in (
    select (${names}) from ${all} group by ${names} having count(*) > 1))`;
  const versions = hashRowsSql(several, {
    engine: "DuckDB",
    key,
    columns,
    besides: STAMPS,
  });
  return endedVersions(
    `select * from (${versionIntervalsSql(`(${versions})`, model.key)})
      where to_batch is not null and not is_delete`,
    { engine: "DuckDB", key },
  );
}

function openSql(versions: string, model: ModelInLake): string {
  return `select * from (${versionIntervalsSql(versions, model.key)})
    where to_batch is null and not is_delete`;
}
