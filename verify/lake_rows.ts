import { emptyModelSql } from "../lib/models/empty_relation.ts";
import type { ModelColumn } from "../lib/models/model_column.ts";
import type { LiveFile } from "../lib/batches/manifest.ts";
import {
  columnsHash,
  describeColumns,
  readLikeSql,
} from "../lib/duckdb/data_files.ts";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { STAMP_COLUMNS } from "../lib/duckdb/version_columns.ts";
import { quoteName, quoteNames } from "../lib/sql/quote.ts";
import type { Model } from "../lib/project/model.ts";
import type { Zone } from "../lib/zone/zone.ts";
import { WORK_CATALOGUE } from "./expectation.ts";
import { keepRows } from "./kept_rows.ts";
import { sum } from "../lib/batches/sum.ts";

/** The live files of a lake as of some batch. */
export interface Lake {
  zone: Zone;
  files: readonly LiveFile[];
  /** The batch: a file of several batches may hold later ones. */
  batch: number;
}

/** A model with the columns that its query gives. */
export type ModelInLake =
  & Pick<Model, "name" | "key" | "kind" | "derivation" | "reads" | "recordId">
  & { columns: readonly VerifiedColumn[] };

/** A column of a model, with DuckDB's name of its type. */
export interface VerifiedColumn extends ModelColumn {
  /** A time of day, which the lake keeps as text. */
  isTime: boolean;
}

/**
 * DuckDB's relations of a model's versions in the lake, and of those that ended.
 */
const VERSIONS_IN_LAKE = `${WORK_CATALOGUE}.main.versions_in_lake`;
export const ENDED_IN_LAKE = `${WORK_CATALOGUE}.main.ended_in_lake`;
/** How many versions begin in each batch, and how many did up to it. */
export const COUNTS_IN_LAKE = `${WORK_CATALOGUE}.main.counts_in_lake`;
/** A version's number: no model's column begins with a space. */
const NUMBER = '" number"';
const KEYS_IN_LAKE = `${WORK_CATALOGUE}.main.keys_in_lake`;

/** Types, of which wider ones hold the values of the others exactly. */
const WIDENING = [
  /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DECIMAL\(\d+,\d+\))$/,
  /^(DATE|TIMESTAMP)$/,
];

/**
 * The model with the common types of its files: values from before the model
 * had a narrower type keep their digits in lake and warehouse.
 */
export async function asInLake(
  duckdb: DuckDb,
  lake: Lake,
  model: ModelInLake,
): Promise<ModelInLake> {
  const columns: ModelColumn[] = [...model.columns, ...STAMP_COLUMNS];
  const own = filesOf(lake, model);
  if (own.every((file) => file.columns === columnsHash(columns))) return model;
  const held = await describeColumns(
    duckdb,
    `from (${emptyModelSql(columns)}) union all by name
    from ${readLikeSql(lake.zone, own, columns)}`,
  );
  return {
    ...model,
    columns: model.columns.map((column) => {
      const type = held.find(({ name }) => name === column.name)?.type ?? "";
      const isWider = WIDENING.some((types) =>
        types.test(type) && types.test(column.type)
      );
      return isWider ? { ...column, type } : column;
    }),
  };
}

/**
 * Reads the versions of a model into DuckDB, deletes among them, each file
 * once, and finds those that ended, with the batches between which they were
 * valid.
 */
export async function readFromLake(
  duckdb: DuckDb,
  lake: Lake,
  model: ModelInLake,
): Promise<void> {
  const key = quoteNames(model.key);
  const columns: ModelColumn[] = [...model.columns, ...STAMP_COLUMNS];
  const own = filesOf(lake, model);
  const versions = own.length === 0
    ? `(${emptyModelSql(columns)})`
    : readLikeSql(lake.zone, own, columns);
  await keepRows(duckdb, {
    view: VERSIONS_IN_LAKE,
    select: `select *, row_number() over () as ${NUMBER}
    from ${versions} where batch <= ${lake.batch}`,
  });
  // With these, finding the current ones moves no whole rows.
  await duckdb.run(
    `create or replace table ${KEYS_IN_LAKE} as
    select ${key}, max(batch) as batch, count(*) as " versions"
    from ${VERSIONS_IN_LAKE} group by ${key}`,
  );
  // Nor does finding out when others ended.
  await keepRows(duckdb, {
    view: ENDED_IN_LAKE,
    select: `select * exclude (${NUMBER}, batch, snapshot_time, is_delete),
      batch as from_batch, snapshot_time as valid_from
    from ${VERSIONS_IN_LAKE} inner join (
      select ${NUMBER}, lead(batch) over versions as to_batch,
        lead(snapshot_time) over versions as valid_to
      from ${severalInLake(model)}
      window versions as (partition by ${key} order by batch)
    ) using (${NUMBER}) where to_batch is not null and not is_delete`,
  });
  if (model.recordId === undefined) return;
  await duckdb.run(
    `create or replace table ${COUNTS_IN_LAKE} as
    select batch as from_batch, count(*) as " versions",
      sum(count(*)) over (order by batch) as " so far"
    from ${VERSIONS_IN_LAKE} where not is_delete group by batch`,
  );
}

/** How many versions of a model the lake's files hold, deletes among them. */
export function versionsIn(lake: Lake, model: ModelInLake): number {
  return sum(filesOf(lake, model), "rows");
}

function filesOf({ files }: Lake, { name }: ModelInLake): LiveFile[] {
  return files.filter((file) => file.model === name);
}

/** DuckDB SQL for the open versions, with their stamps. */
export function openInLake(model: ModelInLake): string {
  return `(select version.* exclude (${NUMBER})
    from ${VERSIONS_IN_LAKE} as version
    semi join ${KEYS_IN_LAKE} as newest
      on version.batch = newest.batch and ${onKey(model)}
    where not is_delete)`;
}

/** DuckDB SQL for the keys that have two versions of one batch. */
export function doublesInLake(model: ModelInLake): string {
  const key = quoteNames(model.key);
  return `(select distinct ${key} from (
    select ${key}, batch from ${severalInLake(model)}
    group by ${key}, batch having count(*) > 1))`;
}

/**
 * SQL for keys of several versions: most have only one, which has not ended.
 */
function severalInLake(model: ModelInLake): string {
  return `(select version.* from ${VERSIONS_IN_LAKE} as version
    semi join (from ${KEYS_IN_LAKE} where " versions" > 1) as newest
      on ${onKey(model)})`;
}

function onKey(model: ModelInLake): string {
  return model.key.map(quoteName).map((name) =>
    `version.${name} is not distinct from newest.${name}`
  ).join(" and ");
}
