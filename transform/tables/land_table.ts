import { emptyTableSql } from "../../lib/models/empty_relation.ts";
import { currentColumns } from "../../lib/batches/key_columns.ts";
import type { DataFile, IngestedTable } from "../../lib/batches/manifest.ts";
import { FAULT_COLUMN } from "../../lib/csv/csv_row.ts";
import { readParquetSql } from "../../lib/duckdb/data_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { keyColumnText, keyText } from "../../lib/duckdb/key_text.ts";
import { quoteName, quoteNames, quoteText } from "../../lib/sql/quote.ts";
import { type ContractTable, typeSql } from "../../lib/project/contract.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { isQueryFault, quarantineFault } from "../checks/query_fault.ts";
import { sourcesOf, type TypedTable } from "../shares/typed_table.ts";
import { FILE_PATH, readCsv } from "./read_csv.ts";
import { rowKey, typedKey, typedText, unreadable } from "./typed_text.ts";
import { quarantinePath } from "../../lib/project/quarantine_file.ts";

/** A name that no column of a contract can have. */
export const ROW_KEY = quoteName("row key");
/** In a group of batches, the one that a row came with. */
export const ROW_BATCH = quoteName("row batch");
/** In rows of several batches, marks those that only say that a key is gone. */
export const IS_GONE = quoteName("row is gone");
/** The reason of a row that can't be read; null in others. */
export const UNREADABLE = quoteName("why unreadable");

/**
 * Creates one source table's tables for this batch:
 * - `arrived`: its rows, typed; what can't be typed is null, so each has its
 *   key as text in `row key`;
 * - `quarantined`: row_key and reason for those that can't be read;
 * - `changed`: the others, the only ones that models see;
 * - `gone`: the keys of deleted rows, also with `row key`;
 * - `deleted`: those that can be typed.
 *
 * Throws a `StageError` if a file differs from its manifest's entry.
 */
export async function landTable(
  duckdb: DuckDb,
  options: LandOptions & {
    /** The query for rows that the types can read but the models can't. */
    quarantineSql: string | undefined;
  },
): Promise<void> {
  const { table, quarantineSql } = options;
  const name = quoteName(table.name);
  await arrive(duckdb, options);
  await createDeleted(duckdb, options);
  const readable = table.key.map((column) => `${quoteName(column)} is not null`)
    .join(" and ");
  const [bad] = await duckdb.rows(
    `create or replace table quarantined.${name} as
    with reasons as (
      select ${ROW_KEY} as row_key, ${UNREADABLE} as reason
      from arrived.${name} where ${UNREADABLE} is not null
      ${
      quarantineSql === undefined
        ? ""
        : `union all select ${keyText(table.key.map(keyColumnText))}, ${
          reasonSql(table.name)
        } from (${quarantineSql}) where ${readable}`
    })
    select row_key, string_agg(reason, '; ' order by reason) as reason
    from reasons group by all`,
  ).catch((error) => {
    throw isQueryFault(error) ? quarantineFault(error, table.name) : error;
  });
  const columns = quoteNames(table.columns.map((column) => column.name));
  await duckdb.run(
    `create or replace view changed.${name} as select ${columns}
    from arrived.${name} as arrived` + (bad?.Count === "0" ? "" : ` anti join
      quarantined.${name} as bad on bad.row_key = arrived.${ROW_KEY}`) +
      `;
    create or replace view deleted.${name} as select ${
        quoteNames(table.key)
      } from gone.${name} where ${readable}`,
  );
}

interface LandOptions {
  table: ContractTable;
  ingested: IngestedTable;
  zone: Zone;
  /** What other processes have typed of its rows: that CSV isn't read. */
  typed?: TypedTable | undefined;
  /** `arrived` and `gone` also have the batch of each row, as `row batch`. */
  isGroup?: boolean;
}

/**
 * Statements that create the same tables, empty, for one that did not change.
 */
export function emptyLandedTables(table: ContractTable): string[] {
  const name = quoteName(table.name);
  const columns = quoteNames(table.columns.map((column) => column.name));
  const key = quoteNames(table.key);
  const empty = emptyTableSql(table);
  return [
    `create or replace table arrived.${name} as select *,
      cast(null as varchar) as ${ROW_KEY},
      cast(null as varchar) as ${UNREADABLE} from (${empty})`,
    `create or replace table gone.${name} as select ${key},
      cast(null as varchar) as ${ROW_KEY} from (${empty})`,
    `create or replace table quarantined.${name} as select
      cast(null as varchar) as row_key, cast(null as varchar) as reason
      where false`,
    `create or replace view changed.${name} as select ${columns}
      from arrived.${name}`,
    `create or replace view deleted.${name} as select ${key}
      from gone.${name}`,
  ];
}

/** SQL for a row's reason; the warehouse accepts none without. */
export function reasonSql(table: string): string {
  return `coalesce(cast(reason as varchar), ${
    quoteText(`${quarantinePath(table)} gives no reason`)
  })`;
}

/**
 * Creates `arrived`: a table, or, if files of it are typed already, a view of
 * them and of a table with the rows of the others.
 */
async function arrive(duckdb: DuckDb, options: LandOptions): Promise<void> {
  const { table, ingested, typed } = options;
  const arrived = `arrived.${quoteName(table.name)}`;
  if (typed === undefined) {
    return await createArrived(duckdb, { ...options, target: arrived });
  }
  const known = sourcesOf([typed]);
  const rows = ingested.rows.filter(({ key }) => !known.has(key));
  const others = othersOf(table);
  await createArrived(duckdb, {
    ...options,
    ingested: { ...ingested, rows },
    target: others,
  });
  const values = table.columns.map(({ name, type }) =>
    `cast(${quoteName(name)} as ${typeSql(type)}) as ${quoteName(name)}`
  );
  const read = (files: (DataFile | undefined)[], reason: string) => {
    const found = files.filter((file) => file !== undefined);
    return found.length === 0
      ? []
      : [`select ${values.join(", ")}, ${ROW_KEY}, ${reason} as ${UNREADABLE}
        from ${readParquetSql(typed.zone, found)}`];
  };
  // The files of different shares may carry other types.
  const parts = [...typed.shares.values()].flatMap((files) => [
    ...read(files.map(({ readable }) => readable), "cast(null as varchar)"),
    ...read(files.map(({ unreadable }) => unreadable), UNREADABLE),
  ]);
  await duckdb.run(
    `drop table if exists ${arrived};
    create view ${arrived} as
    ${[`from ${others}`, ...parts].join(" union all by name ")}`,
  );
}

/** Statements that remove what only `arrive` knows; the next batch can't. */
export function removeTyped(table: ContractTable): string[] {
  return [
    `drop view arrived.${quoteName(table.name)}`,
    `drop table ${othersOf(table)}`,
  ];
}

/** The table of the rows that are read here. */
function othersOf(table: ContractTable): string {
  return `memory.main.${quoteName(`others of ${table.name}`)}`;
}

/** Creates a table of the rows of CSV, typed; see `landTable`. */
export async function createArrived(
  duckdb: DuckDb,
  options: Omit<LandOptions, "typed"> & { target: string },
): Promise<void> {
  const { table, ingested, zone, target, isGroup = false } = options;
  if (ingested.rows.length === 0) {
    await duckdb.run(
      `create or replace table ${target} as select *,
        cast(null as varchar) as ${ROW_KEY}${isGroup ? NO_BATCH : ""},
        cast(null as varchar) as ${UNREADABLE} from (${emptyTableSql(table)})`,
    );
    return;
  }
  await readCsv(duckdb, {
    create: `create or replace table ${target} as
      ${typedRowsSql(table, ingested)}${isGroup ? FILE_BATCH : ""}`,
    columns: currentColumns(ingested, table.key).rows,
    files: ingested.rows,
    zone,
    isGroup,
  });
}

/** SQL for a table's rows of CSV, typed, without what it reads them from. */
export function typedRowsSql(
  table: ContractTable,
  ingested: IngestedTable,
): string {
  const known = new Set(currentColumns(ingested, table.key).rows);
  const typed = table.columns.map((column) => {
    const name = quoteName(column.name);
    const value = known.has(column.name) ? name : "null";
    return `${typedText(value, column.type)} as ${name}`;
  });
  const faults = unreadable(
    table.columns.filter((column) =>
      known.has(column.name) && column.type.name !== "text"
    ),
  );
  const reason = known.has(FAULT_COLUMN)
    ? `nullif(concat_ws('; ', ${quoteName(FAULT_COLUMN)}, ${faults}), '')`
    : faults;
  return `select ${typed.join(", ")}, ${rowKey(table)} as ${ROW_KEY},
    ${reason} as ${UNREADABLE}`;
}

async function createDeleted(
  duckdb: DuckDb,
  options: LandOptions,
): Promise<void> {
  const { table, ingested, zone, isGroup = false } = options;
  const target = `gone.${quoteName(table.name)}`;
  if (ingested.deletes.length === 0) {
    await duckdb.run(
      `create or replace table ${target} as select ${quoteNames(table.key)},
        cast(null as varchar) as ${ROW_KEY}${isGroup ? NO_BATCH : ""}
        from (${emptyTableSql(table)})`,
    );
    return;
  }
  const columns = table.key.map((name) =>
    `${typedKey(table, name)} as ${quoteName(name)}`
  );
  await readCsv(duckdb, {
    create: `create or replace table ${target} as select ${columns.join(", ")},
      ${rowKey(table)} as ${ROW_KEY}${isGroup ? FILE_BATCH : ""}`,
    columns: currentColumns(ingested, table.key).deletes,
    files: ingested.deletes,
    zone,
    isGroup,
  });
}

const NO_BATCH = `, cast(null as bigint) as ${ROW_BATCH}`;
/** The key of a data file names its batch: see `dataKey`. */
const FILE_BATCH = `, cast(regexp_extract(${quoteName(FILE_PATH)},
  '/batch=([0-9]+)/[^/]+$', 1) as bigint) as ${ROW_BATCH}`;
