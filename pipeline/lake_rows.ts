import type { DuckDb } from "../lib/duckdb.ts";
import { readColumnsSql } from "../lib/data_files.ts";
import type { Model } from "../lib/model.ts";
import { quoteName, quoteNames } from "../lib/postgres.ts";
import type { Zone } from "../lib/zone.ts";
import type { LakeFile } from "../transform/files_of_batches.ts";
import {
  emptyModelSql,
  type ModelColumn,
  STAMP_COLUMNS,
} from "../transform/model_changes.ts";
import { WORK_CATALOGUE } from "./expectation.ts";

/** Committed files of a lake, up to some batch. */
export interface Lake {
  zone: Zone;
  files: readonly LakeFile[];
}

/** A model with the columns that its query gives. */
export type ModelInLake =
  & Pick<Model, "name" | "key" | "kind" | "derivation" | "reads" | "recordId">
  & { columns: readonly VerifiedColumn[] };

/** A column of a model, with DuckDB's name of its type. */
export interface VerifiedColumn extends ModelColumn {
  /** A time of day, which the lake keeps as text. */
  isTime: boolean;
  /** Of a key: the source's column that it is, where the query says so. */
  source?: string;
}

/** DuckDB SQL for all versions of a model, deletes among them, with stamps. */
export function versionsInLake(lake: Lake, model: ModelInLake): string {
  const columns: ModelColumn[] = [...model.columns, ...STAMP_COLUMNS];
  const files = lake.files.filter((file) => file.model === model.name);
  return files.length === 0
    ? `(${emptyModelSql(columns)})`
    : readColumnsSql(lake.zone, files, columns);
}

/** Where the keys of one model in the lake lie: each once. */
const KEYS_IN_LAKE = `${WORK_CATALOGUE}.main.keys_in_lake`;

/**
 * Finds the newest batch of each key and the number of its versions: by these,
 * whole rows need not be moved to tell which of them hold.
 */
export async function findKeysInLake(
  duckdb: DuckDb,
  lake: Lake,
  model: ModelInLake,
): Promise<void> {
  await duckdb.run(
    `create or replace table ${KEYS_IN_LAKE} as
    select ${quoteNames(model.key)}, max(batch) as batch, count(*) as versions
    from ${versionsInLake(lake, model)} group by ${quoteNames(model.key)}`,
  );
}

/** DuckDB SQL for the versions of a model that hold, with their stamps. */
export function openInLake(lake: Lake, model: ModelInLake): string {
  return `(select version.* from ${versionsInLake(lake, model)} as version
    semi join ${KEYS_IN_LAKE} as newest
      on version.batch = newest.batch and ${onKey(model)}
    where not is_delete)`;
}

/** DuckDB SQL for the keys that have two versions of one batch. */
export function doublesInLake(lake: Lake, model: ModelInLake): string {
  const key = quoteNames(model.key);
  return `(select distinct ${key} from (
    select ${key}, batch from ${severalInLake(lake, model)}
    group by ${key}, batch having count(*) > 1))`;
}

/** DuckDB SQL for the versions of a model that ended, and when they held. */
export function endedInLake(lake: Lake, model: ModelInLake): string {
  return `(select * exclude (batch, snapshot_time, is_delete) from (
    select *, batch as from_batch, snapshot_time as valid_from,
      lead(batch) over versions as to_batch,
      lead(snapshot_time) over versions as valid_to
    from ${severalInLake(lake, model)}
    window versions as (partition by ${quoteNames(model.key)} order by batch)
  ) where to_batch is not null and not is_delete)`;
}

/** Most keys have one version only, which has not ended. */
function severalInLake(lake: Lake, model: ModelInLake): string {
  return `(select version.* from ${versionsInLake(lake, model)} as version
    semi join (from ${KEYS_IN_LAKE} where versions > 1) as newest
      on ${onKey(model)})`;
}

function onKey(model: ModelInLake): string {
  return model.key.map(quoteName).map((name) =>
    `version.${name} is not distinct from newest.${name}`
  ).join(" and ");
}
