import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import type { ModelSql, ProjectSql } from "../../lib/project/project_sql.ts";
import { followJoin } from "./join_lineage.ts";
import { type Link, type TableUse } from "./join_reader.ts";
import { parseSelect, textOf } from "../../lib/models/sql_tree.ts";

/**
 * The keys of the driving table's rows that count; no name of the source begins
 * with a space.
 */
const KEYS = 'affected." keys"';

/** A joined model's query for the rows alone that a batch may have changed. */
export interface AffectedRows {
  /** The query; what it reads of its driving table is in `affected`. */
  sql: string;
  /** Shows it the driving table's rows of one side. */
  showSql: (side: "before" | "after") => string;
}

/**
 * Finds the rows of a joined model that a batch may have changed, from the rows
 * that it changed in the tables that the model reads: see `followJoin`. Their
 * number decides what the model costs, not the size of the tables. Returns
 * undefined if the query doesn't show which rows these are.
 */
export async function findAffectedRows(
  { duckdb, sql }: {
    duckdb: DuckDb;
    sql: Pick<ProjectSql, "tables">;
  },
  options: {
    /** The tables that the batch changed. */
    changed: Pick<ReadonlyMap<string, unknown>, "has">;
    model: Pick<ModelSql, "key" | "sql">;
  },
): Promise<AffectedRows | undefined> {
  const { changed, model } = options;
  const parsed = await parseSelect(duckdb, model.sql);
  if (!("query" in parsed)) return undefined;
  const lineage = followJoin(parsed.query, { model, tables: sql.tables });
  const table = sql.tables.find(({ name }) => name === lineage?.driver.table);
  if (lineage === undefined || table === undefined) return undefined;
  const restricted = readAffected(model.sql, lineage.driver);
  if (restricted === undefined) return undefined;
  const { driver, paths } = lineage;
  const keys = [[driver, []] as const, ...paths]
    .filter(([use]) => changed.has(use.table))
    .map(([use, path]) => keysSql(use, { path, key: table.key }));
  const name = quoteName(table.name);
  await duckdb.run(
    `create or replace table ${KEYS} as ${keys.join(" union ")}`,
  );
  return {
    sql: restricted,
    showSql: (side) =>
      `create or replace view affected.${name} as select * from ${side}.${name}
      semi join ${KEYS} using (${quoteNames(table.key)})`,
  };
}

/** The keys of the driving table's rows that a table's moved rows may reach. */
function keysSql(
  use: TableUse,
  options: { path: readonly Link[]; key: ContractTable["key"] },
): string {
  const { path, key } = options;
  const rows = path.reduce(
    (reached, { from, to }) =>
      `(select * from either.${quoteName(to.use.table)} as rows_to
      semi join ${reached} as rows_from
      on rows_from.${quoteName(from.column)} = rows_to.${
        quoteName(to.column)
      })`,
    `moved.${quoteName(use.table)}`,
  );
  return `select ${quoteNames(key)} from ${rows}`;
}

/**
 * The query with `affected` for `current` at one place, which the parser gives
 * as an offset in bytes; undefined if the text has something else there.
 */
function readAffected(sql: string, { node }: TableUse): string | undefined {
  const bytes = new TextEncoder().encode(sql);
  const at = Number(node.query_location);
  const text = (from: number, to?: number) =>
    new TextDecoder().decode(bytes.subarray(from, to));
  const schema = /^("current"|current)(?=\s*\.)/i.exec(text(at));
  if (schema === null || textOf(node.catalog_name) !== "") return undefined;
  return `${text(0, at)}affected${text(at + schema[0].length)}`;
}
