import { join } from "node:path";
import type { DataFile } from "../../lib/batches/manifest.ts";
import { describeColumns, readAllSql } from "../../lib/duckdb/data_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { versionIntervalsSql } from "../../lib/duckdb/version_intervals.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { keyName } from "../../lib/zone/zone_key.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";
import { binaryContent, type CopyContent, csvContent } from "./copy_content.ts";

/** A model's versions of some batches, ready to be copied. */
export interface ExportedVersions extends CopyContent {
  /** The columns of the rows, in order. */
  columns: readonly string[];
  /** Values that all rows share, which the rows leave out. */
  constants: Readonly<Record<string, string>>;
  /** The types of the files' columns, as DuckDB names them. */
  types: ReadonlyMap<string, string>;
  /** Columns of the files that the warehouse lacks: no model may give them. */
  unknown: readonly string[];
}

/** The batch that all versions of a model come from, if it is one. */
export interface OneBatch {
  batch: number;
  snapshotTime: string;
}

/** The files of a model's versions of some batches. */
export interface VersionFiles {
  files: readonly DataFile[];
  /** Only the rows of these batches count: the files hold others, too. */
  only?: { from: number; to: number };
  /** No key occurs twice. */
  isOneBatch: boolean;
}

/** Which rows of a model's versions are copied, and in what form. */
export type VersionsForm = "events" | "fact rows" | "dimension rows" | "closed";

/** The columns that all history tables have. */
export const INTERVAL_COLUMNS = [
  "valid_from",
  "valid_to",
  "from_batch",
  "to_batch",
] as const;

/**
 * Flags for an event's place among those of its key. They share one column, a
 * bit for each, and below the place of a fact's version among all: a staging
 * table must not be wider than the widest table that Postgres can hold.
 */
const EVENT_FLAGS = [
  "is_delete",
  "is_first",
  "has_version",
  "is_last_version",
] as const;
export const FLAGS_COLUMN = "event_flags";

/** SQL for whether a staged event has a flag. */
export function eventFlag(
  name: typeof EVENT_FLAGS[number],
  event = "event",
): string {
  const bit = 1 << EVENT_FLAGS.indexOf(name);
  return `(${event}.${FLAGS_COLUMN} & ${bit} <> 0)`;
}

/** SQL for a staged version's place, from 1, in the order of batch and key. */
export function eventPlace(event = "event"): string {
  return `(${event}.${FLAGS_COLUMN} >> ${EVENT_FLAGS.length})`;
}

/**
 * Gives a model's versions in a form for COPY. `events` are all of them, deletes
 * too, to be merged; the other forms are finished rows for empty tables: a
 * fact's with serial numbers, a dimension's, and its closed versions.
 */
export async function exportVersions(
  duckdb: DuckDb,
  options: {
    table: Pick<WarehouseTable, "model" | "columns" | "types">;
    form: VersionsForm;
    versions: VersionFiles;
    oneBatch: OneBatch | undefined;
    zone: Zone;
  },
): Promise<ExportedVersions> {
  const { table: { model, columns }, form, versions, oneBatch, zone } = options;
  const { files } = versions;
  const { types, lacking, unknown, floats } = await columnsOfFiles(duckdb, {
    columns,
    files,
    zone,
  });
  // Finished rows of one batch are all valid from it: a default sets that once.
  const alike = oneBatch !== undefined && form.endsWith("rows");
  const { select, names } = formSql(form, {
    model,
    columns: alike ? columns : [...columns, ...INTERVAL_COLUMNS],
    events: eventsSql(versions, { zone, key: model.key, lacking, floats }),
  });
  const subject = files.map((file) => zone.locate(file.key)).join(", ");
  // A dimension has few rows, or mostly texts, which are sooner written as CSV.
  const binary = form === "fact rows"
    ? await binaryContent(duckdb, {
      select,
      subject,
      types: options.table.types,
      from: readAllSql(zone, files),
      lacking,
    })
    : undefined;
  const content = binary ?? await csvContent(duckdb, {
    select,
    subject,
    path: join(
      duckdb.tempDirectory,
      `${keyName(model.name)}-${form.replace(" ", "-")}.csv`,
    ),
    isOneColumn: names.length === 1,
  });
  return {
    ...content,
    columns: names,
    constants: alike
      ? {
        valid_from: oneBatch.snapshotTime,
        from_batch: String(oneBatch.batch),
      }
      : {},
    types,
    unknown,
  };
}

/**
 * The warehouse's columns that these files lack, as they are older, the files'
 * columns that the warehouse lacks, and the floats.
 */
export async function columnsOfFiles(
  duckdb: DuckDb,
  options: {
    columns: readonly string[];
    files: readonly DataFile[];
    zone: Zone;
  },
): Promise<{
  types: ReadonlyMap<string, string>;
  lacking: string[];
  unknown: string[];
  floats: string[];
}> {
  const { columns, files, zone } = options;
  const described = await describeColumns(
    duckdb,
    `select * from ${readAllSql(zone, files)}`,
  );
  const types = new Map(described.map(({ name, type }) => [name, type]));
  return {
    types,
    lacking: columns.filter((name) => !types.has(name)),
    unknown: [...types.keys()].filter((name) => !columns.includes(name)),
    floats: columns.filter((name) =>
      ["FLOAT", "DOUBLE"].includes(types.get(name) ?? "")
    ),
  };
}

/**
 * The versions with their intervals and their places among those of their key.
 * In one batch each key occurs once, so nothing has to be compared.
 */
function eventsSql(
  { files, only, isOneBatch }: VersionFiles,
  options: {
    zone: Zone;
    key: readonly string[];
    lacking: readonly string[];
    floats: readonly string[];
  },
): string {
  const nulls = options.lacking.map((name) =>
    `, cast(null as varchar) as ${quoteName(name)}`
  );
  // Processors differ in the sign of a NaN, and numeric rejects one with a
  // sign.
  const floats = options.floats.map(quoteName).map((name) =>
    `case when isnan(${name}) then 'nan' else ${name} end as ${name}`
  );
  const replaced = floats.length === 0 ? "" : ` replace (${floats.join(", ")})`;
  const versions = `(select *${replaced}${nulls.join("")} from ${
    readAllSql(options.zone, files)
  }${only === undefined ? "" : ` ${onlySql(only)}`})`;
  if (isOneBatch) {
    return `select * exclude (batch, snapshot_time), batch as from_batch,
        snapshot_time as valid_from, cast(null as bigint) as to_batch,
        cast(null as timestamp) as valid_to, true as is_first,
        not is_delete as has_version, not is_delete as is_last_version
      from ${versions}`;
  }
  const keys = quoteNames(options.key);
  return `select *,
      row_number() over (partition by ${keys} order by from_batch) = 1
        as is_first,
      bool_or(not is_delete) over (partition by ${keys}) as has_version,
      not is_delete and row_number() over (
        partition by ${keys}, is_delete order by from_batch desc
      ) = 1 as is_last_version
    from (${versionIntervalsSql(versions, options.key)})`;
}

/** SQL for the condition that a version belongs to these batches. */
export function onlySql({ from, to }: { from: number; to: number }): string {
  return `where batch between ${from} and ${to}`;
}

function formSql(
  form: VersionsForm,
  options: {
    model: Pick<Model, "key" | "kind" | "recordId">;
    columns: readonly string[];
    events: string;
  },
): { select: string; names: readonly string[] } {
  const { model, columns: names, events } = options;
  const order = `from_batch, ${quoteNames(model.key)}`;
  switch (form) {
    case "events": {
      const flags = EVENT_FLAGS.map((flag, index) =>
        `cast(${flag} as integer) * ${1 << index}`
      );
      if (model.kind === "fact") {
        flags.push(
          `row_number() over (order by is_delete, ${order}) * ${
            1 << EVENT_FLAGS.length
          }`,
        );
      }
      return {
        names: [...names, FLAGS_COLUMN],
        select: `select ${quoteNames(names)}, ${flags.join(" + ")}
          from (${events})`,
      };
    }
    case "fact rows": {
      const recordId = model.recordId ?? "record_id";
      return {
        names: [recordId, ...names],
        select: `select row_number() over (order by ${order})
            as ${quoteName(recordId)}, ${quoteNames(names)}
          from (${events}) where not is_delete`,
      };
    }
    case "dimension rows":
      return {
        names,
        select: `select ${quoteNames(names)} from (${events})
          where is_last_version`,
      };
    case "closed":
      return {
        names,
        select: `select ${quoteNames(names)} from (${events})
          where not is_delete and not is_last_version`,
      };
  }
}
