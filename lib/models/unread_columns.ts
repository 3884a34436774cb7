import type { DuckDb } from "../duckdb/duckdb.ts";
import type { ProjectSql } from "../project/project_sql.ts";
import { tablesRead } from "../project/tables_read.ts";
import {
  parseSelect,
  type SqlNode,
  textOf,
  textsOf,
  walk,
} from "./sql_tree.ts";
import { foldName } from "../sql/fold_name.ts";

/** Columns of a table of the contract. */
export interface UnreadColumns {
  table: string;
  columns: string[];
}

/**
 * The columns of the contract that no model and no quarantine rule names, but
 * for those of keys, by which rows are followed. A query that may read a column
 * without its name, as by `*`, reads all of its tables.
 */
export async function unreadColumns(
  duckdb: DuckDb,
  sql: ProjectSql,
): Promise<UnreadColumns[]> {
  const queries = [
    ...sql.models.map(({ sql: text, reads }) => ({ text, reads })),
    ...[...sql.quarantine.values()].map((text) => ({
      text,
      reads: tablesRead(text),
    })),
  ];
  const names = new Map<string, Set<string>>();
  const whole = new Set<string>();
  for (const { text, reads } of queries) {
    const parsed = await parseSelect(duckdb, text);
    const named = "query" in parsed ? columnNames(parsed.query) : undefined;
    for (const table of reads.map(foldName)) {
      if (named === undefined) whole.add(table);
      else names.set(table, named.union(names.get(table) ?? new Set()));
    }
  }
  return sql.tables.flatMap(({ name: table, columns, key }) => {
    const lower = foldName(table);
    const unread = whole.has(lower) ? [] : columns.map(({ name }) => name)
      .filter((name) =>
        !key.includes(name) && !names.get(lower)?.has(foldName(name))
      );
    return unread.length === 0 ? [] : [{ table, columns: unread }];
  });
}

/** The columns that a query names; undefined if it may read others. */
function columnNames(query: SqlNode): ReadonlySet<string> | undefined {
  const relations = new Set<string>();
  const names = new Set<string>();
  /** Those that may be a relation's name, alone or with its schema's. */
  const last = new Set<string>();
  let isOpen = false;
  walk(query, (node) => {
    isOpen ||= node.class === "STAR" ||
      node.class === "POSITIONAL_REFERENCE" || node.ref_type === "NATURAL" ||
      // As in `from orders as t (a, b)`: other names for its columns.
      node.type === "BASE_TABLE" && textsOf(node.column_name_alias).length > 0;
    // Relations have no class, expressions have.
    if (node.class === undefined) {
      relations.add(foldName(textOf(node.alias)));
      relations.add(foldName(textOf(node.table_name)));
    }
    const parts = textsOf(node.column_names).map(foldName);
    for (const name of parts.slice(-1)) last.add(name);
    for (const name of [...parts, ...textsOf(node.using_columns)]) {
      names.add(foldName(name));
    }
  });
  // A relation named as a column is a row as a whole.
  return isOpen || !last.isDisjointFrom(relations) ? undefined : names;
}
