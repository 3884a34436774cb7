import { emptyTableSql } from "../../lib/models/empty_relation.ts";
import { counted } from "../../lib/counted.ts";
import { RESTORE_FILE } from "../../lib/batches/restore_hint.ts";
import { currentColumns } from "../../lib/batches/key_columns.ts";
import type { DataFile, IngestedTable } from "../../lib/batches/manifest.ts";
import { PARALLEL_COLUMNS_MAX, readCsvSql } from "../../lib/csv/read_csv.ts";
import { FAULT_COLUMN } from "../../lib/csv/csv_row.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { dataFileError } from "../../lib/duckdb/duckdb_error.ts";
import { keyColumnText, keyText } from "../../lib/duckdb/key_text.ts";
import { StageError } from "../../lib/errors.ts";
import {
  quoteName,
  quoteNames,
  quoteText,
  type TextRow,
} from "../../lib/sql/quote.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { isQueryFault, quarantineFault } from "../checks/query_fault.ts";
import { rowKey, typedKey, typedText, unreadable } from "./typed_text.ts";
import { quarantinePath } from "../../lib/project/quarantine_file.ts";

/** A name that no column of a contract can have. */
export const ROW_KEY = quoteName("row key");
/** In a group of batches, the one that a row came with. */
export const ROW_BATCH = quoteName("row batch");
/** In rows of several batches, marks those that only say that a key is gone. */
export const IS_GONE = quoteName("row is gone");
/** A wide file's rows as text. */
const TEXTS = "memory.main.texts";
const UNREADABLE = quoteName("why unreadable");

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
  await createArrived(duckdb, options);
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

async function createArrived(
  duckdb: DuckDb,
  options: LandOptions,
): Promise<void> {
  const { table, ingested, zone, isGroup = false } = options;
  const target = `arrived.${quoteName(table.name)}`;
  if (ingested.rows.length === 0) {
    await duckdb.run(
      `create or replace table ${target} as select *,
        cast(null as varchar) as ${ROW_KEY}${isGroup ? NO_BATCH : ""},
        cast(null as varchar) as ${UNREADABLE} from (${emptyTableSql(table)})`,
    );
    return;
  }
  const columns = currentColumns(ingested, table.key).rows;
  const known = new Set(columns);
  const typed = table.columns.map((column) => {
    const name = quoteName(column.name);
    const value = known.has(column.name) ? name : "null";
    return `${typedText(value, column.type)} as ${name}`;
  });
  const faults = table.columns
    .filter((column) => known.has(column.name) && column.type.name !== "text");
  await readCsv(duckdb, {
    create: `create or replace table ${target} as
      select ${typed.join(", ")}, ${rowKey(table)} as ${ROW_KEY}${
      isGroup ? FILE_BATCH : ""
    },
        ${
      known.has(FAULT_COLUMN)
        ? `nullif(concat_ws('; ', ${quoteName(FAULT_COLUMN)}, ${
          unreadable(faults)
        }), '')`
        : unreadable(faults)
    } as ${UNREADABLE}`,
    columns,
    files: ingested.rows,
    zone,
    isGroup,
  });
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

const FILE_PATH = "file path";
const NO_BATCH = `, cast(null as bigint) as ${ROW_BATCH}`;
/** The key of a data file names its batch: see `dataKey`. */
const FILE_BATCH = `, cast(regexp_extract(${quoteName(FILE_PATH)},
  '/batch=([0-9]+)/[^/]+$', 1) as bigint) as ${ROW_BATCH}`;

async function readCsv(
  duckdb: DuckDb,
  options: {
    /** A statement that creates a table, to which the rows' source is added. */
    create: string;
    columns: readonly string[];
    files: readonly DataFile[];
    zone: Zone;
    isGroup: boolean;
  },
): Promise<void> {
  const { create, columns, files, zone, isGroup } = options;
  const paths = files.map((file) => zone.locate(file.key));
  const subject = paths.join(", ");
  const csv = readCsvSql(paths, columns, {
    bytesMax: Math.max(...files.map((file) => file.bytes)),
    rowsAreLines: files.every((file) => file.rowsAreLines === true),
    ...isGroup ? { pathColumn: FILE_PATH } : {},
  });
  let created: TextRow | undefined;
  try {
    if (columns.length <= PARALLEL_COLUMNS_MAX) {
      [created] = await duckdb.rows(`${create} from ${csv}`);
    } else {
      // This way, reading that many columns and casting them share no memory.
      await duckdb.run(`create or replace table ${TEXTS} as from ${csv}`);
      [created] = await duckdb.rows(`${create} from ${TEXTS}`);
      await duckdb.run(`drop table ${TEXTS}`);
    }
  } catch (error) {
    throw dataFileError(error, { action: "read", subject, task: "transform" });
  }
  const expected = files.reduce((sum, file) => sum + file.rows, 0);
  // DuckDB says how many rows it has put into the table.
  if (Number(created?.Count) === expected) return;
  throw new StageError(
    `Cannot read ${subject}: ${
      counted(created?.Count ?? "", "rows were")
    } found, the manifest says ${expected}`,
    {
      subject,
      hint: `${RESTORE_FILE}, then run transform`,
    },
  );
}
