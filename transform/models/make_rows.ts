import type { ModelColumn } from "../../lib/models/model_column.ts";
import type {
  IngestedTable,
  ProcessedModel,
} from "../../lib/batches/manifest.ts";
import { readParquetSql } from "../../lib/duckdb/data_files.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import {
  type BatchWork,
  columnsOf,
  publishedSql,
} from "../batches/batch_work.ts";
import {
  brokenKeysSql,
  brokenRule,
  type CheckedRows,
} from "../checks/broken_rule.ts";
import { ROW_KEY } from "../tables/land_table.ts";
import { differenceSql } from "./model_changes.ts";
import { writeVersions } from "../files/write_versions.ts";

/**
 * Makes one row for each source row: what changed there changes here, and a row
 * that the model leaves out is no longer part of it.
 */
export async function makeRows(
  work: BatchWork,
  options: { changed: ReadonlyMap<string, IngestedTable>; model: ModelSql },
): Promise<ProcessedModel | undefined> {
  const { model } = options;
  const [source = ""] = model.reads;
  const columns = columnsOf(work, model.name);
  const published = await inTable(
    work,
    `result_before.${quoteName(model.name)}`,
    await publishedSql(work, { ...options, columns }),
  );
  const keysOf = keysOfSource(model, columns);
  const write = async ({ part, rows }: { part: number; rows: string }) =>
    await writeVersions(work, {
      part,
      model,
      columns,
      // A full read doesn't show what changed: contents do.
      changed: published === undefined ? rows : await inTable(
        work,
        `result_after.${quoteName(model.name)}`,
        differenceSql(columns, { of: rows, without: published }),
      ),
      deleted: deletedKeysSql(work, { model, columns, published }),
    });
  if (options.changed.get(source)?.fullRead !== undefined) {
    work.held.delete(model.name);
  } else {
    await releaseRows(work, {
      model,
      touched: `${keysOf("arrived")} union ${keysOf("gone")}`,
    });
  }
  const made = await write({ part: 1, rows: model.sql });
  const [file] = made?.files ?? [];
  if (file === undefined) return undefined;
  const kept = await holdRows(work, {
    model,
    columns,
    rows: readParquetSql(work.processed, [file]),
    areVersions: true,
    batch: work.input.batch,
  });
  if (kept === undefined) return made;
  await work.processed.remove(file.key);
  return await write({ part: 2, rows: kept });
}

/** SQL for the keys that the batch takes from a model. */
export function deletedKeysSql(
  work: BatchWork,
  options: {
    model: ModelSql;
    columns: readonly ModelColumn[];
    /** SQL for the model's rows in the lake, if it is compared with them. */
    published?: string | undefined;
  },
): string {
  const { model, columns, published } = options;
  const keysOf = keysOfSource(model, columns);
  return keysOf("deleted") + leftOutSql(work, { model, published, keysOf });
}

/** Gives SQL for a model's keys of the source rows in a schema. */
function keysOfSource(
  { key, reads: [source = ""] }: ModelSql,
  columns: readonly ModelColumn[],
): (schema: string, where?: string) => string {
  const names = key.map((name) => keyOfSource(columns, name)).join(", ");
  return (schema, where = "") =>
    `select ${names} from ${schema}.${quoteName(source)} as source ${where}`;
}

/** SQL that adds the keys which the model no longer has to the deleted ones. */
function leftOutSql(
  { previous }: BatchWork,
  options: {
    model: ModelSql;
    published: string | undefined;
    /** SQL for the model's keys of the source rows in a schema. */
    keysOf: (schema: string, where?: string) => string;
  },
): string {
  const { model, published, keysOf } = options;
  const [source = ""] = model.reads;
  if (previous === undefined) return "";
  const all = `select ${quoteNames(model.key)} from (${model.sql})`;
  if (published === undefined) {
    return ` union (${keysOf("changed")} except ${all})`;
  }
  const isQuarantined = `where ${ROW_KEY} in (
    select row_key from quarantined.${quoteName(source)})`;
  // A row that a full read lacks is gone, even if its delete went unnoticed.
  return ` union (select ${quoteNames(model.key)} from (${published})
    except ${all} except ${keysOf("arrived", isQuarantined)})`;
}

/** Held rows are repaired when they come again or are gone. */
async function releaseRows(
  { duckdb, held }: BatchWork,
  options: { model: ModelSql; touched: string },
): Promise<void> {
  const { model, touched } = options;
  const before = held.get(model.name);
  // The row that a query failed at is unknown: only a full read repairs it.
  if (before === undefined || before.unread.size > 0) return;
  const name = `held.${quoteName(model.name)}`;
  await duckdb.run(
    `create or replace table ${name} as from ${name} except (${touched})`,
  );
  const [left] = await duckdb.rows(`select count(*) as keys from ${name}`);
  if (left?.keys === "0") held.delete(model.name);
}

/**
 * Holds the keys whose rows break a rule; returns SQL for the rows without
 * them, undefined if there are none.
 */
async function holdRows(
  { duckdb, held }: BatchWork,
  checked: CheckedRows & { model: ModelSql },
): Promise<string | undefined> {
  const { model } = checked;
  const error = await brokenRule(duckdb, checked);
  if (error === undefined) return undefined;
  const name = `held.${quoteName(model.name)}`;
  const unread = held.get(model.name)?.unread ?? new Set<string>();
  const before = held.has(model.name) && unread.size === 0
    ? `from ${name} union `
    : "";
  await duckdb.run(
    `create or replace table ${name} as ${before}${brokenKeysSql(checked)}`,
  );
  held.set(model.name, { error, unread });
  const isSame = model.key.map(quoteName).map((column) =>
    `bad.${column} is not distinct from made.${column}`
  );
  return `select * from (${model.sql}) as made where not exists (
    select 1 from ${name} as bad where ${isSame.join(" and ")})`;
}

/** SQL for a column of a row model's key, from its source's row. */
export function keyOfSource(
  columns: readonly ModelColumn[],
  name: string,
): string {
  const column = columns.find((one) => one.name === name);
  if (column?.source === undefined) throw new Error(`No source of "${name}"`);
  return `cast(source.${quoteName(column.source)} as ${column.type}) as ${
    quoteName(name)
  }`;
}

/**
 * Stores a query's result in a table and returns SQL for that: reading it then
 * doesn't need the query's memory at the same time.
 */
async function inTable<Sql extends string | undefined>(
  { duckdb }: BatchWork,
  table: string,
  select: Sql,
): Promise<Sql | string> {
  if (select === undefined) return select;
  await duckdb.run(`create or replace table ${table} as ${select}`);
  return `from ${table}`;
}
