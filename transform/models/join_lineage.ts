import type { ContractTable } from "../../lib/project/contract.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { JoinReader, type Link, type TableUse } from "./join_reader.ts";
import { findColumn } from "../../lib/models/query_columns.ts";
import {
  isUnnest,
  nodeOf,
  nodesOf,
  type SqlNode,
  textOf,
  textsOf,
  walk,
} from "../../lib/models/sql_tree.ts";

/** How the rows of a joined model follow from those of the tables it reads. */
export interface JoinLineage {
  /**
   * The place where the query reads the table whose rows the model's rows are:
   * a row of the result depends on one row of that table, whose key is part of
   * the model's.
   */
  driver: TableUse;
  /**
   * For every other place, the links that lead from its rows to those of the
   * driver on which they have an influence.
   */
  paths: ReadonlyMap<TableUse, readonly Link[]>;
}

/**
 * Follows a joined model's query from its tables to its rows, so that a change
 * of some rows of a table is known to concern only some rows of the model.
 * Returns undefined if that can't be seen: the model is then made as a whole.
 *
 * The condition on links is what makes it safe. In an inner join, the rows of
 * both sides meet its condition; in a left join, only those of the right side
 * surely do, since a row of the left one is also there without a match.
 */
export function followJoin(
  query: SqlNode,
  options: {
    model: Pick<ModelSql, "key">;
    tables: readonly ContractTable[];
  },
): JoinLineage | undefined {
  if (!isPlain(query)) return undefined;
  const { model, tables } = options;
  const reader = new JoinReader(tables);
  const { columns, drivers } = reader.select(query, new Map());
  const nodes = reader.uses.map(({ node }) => node);
  if (countReads(query) !== new Set(nodes).size) return undefined;
  const key = model.key.map((name) => findColumn([name], columns)?.source);
  for (const driver of drivers) {
    const isOnce = nodes.filter((node) => node === driver.node).length === 1;
    const table = tables.find(({ name }) => name === driver.table);
    const isKeyed = table?.key.every((name) =>
      key.some((column) => column?.use === driver && column.column === name)
    );
    if (!isOnce || isKeyed !== true) continue;
    const paths = pathsTo(driver, reader);
    if (paths !== undefined) return { driver, paths };
  }
  return undefined;
}

/**
 * Whether a query consists of joins, conditions and groups alone: nothing looks
 * at the order of rows or at a number of them, reads a table in an expression,
 * or names a column by its schema, which `readAffected` would leave behind.
 */
function isPlain(query: SqlNode): boolean {
  let isPlain = true;
  walk(query, (node) => {
    const type = textOf(node.type);
    isPlain &&= node.class !== "WINDOW" && node.class !== "SUBQUERY" &&
      !["TABLE_FUNCTION", "SET_OPERATION_NODE", "PIVOT"].includes(type) &&
      !type.startsWith("RECURSIVE_CTE") && !type.startsWith("LIMIT") &&
      !isUnnest(node) &&
      nodesOf(node.distinct_on_targets).length === 0 &&
      textsOf(node.column_names).length < 3 &&
      ["sample", "qualify", "at_clause"]
        .every((clause) => nodeOf(node[clause]) === undefined);
  });
  return isPlain;
}

function countReads(query: SqlNode): number {
  let count = 0;
  walk(query, (node) => {
    if (node.type === "BASE_TABLE" && textOf(node.schema_name) !== "") count++;
  });
  return count;
}

/** For each other use, the shortest way to the driver, if all have one. */
function pathsTo(
  driver: TableUse,
  { uses, links }: Pick<JoinReader, "uses" | "links">,
): Map<TableUse, readonly Link[]> | undefined {
  const paths = new Map<TableUse, readonly Link[]>([[driver, []]]);
  // Maps keep their order, and see what is added while they are gone through.
  for (const [reached, path] of paths) {
    for (const link of links) {
      if (link.to.use !== reached || paths.has(link.from.use)) continue;
      paths.set(link.from.use, [link, ...path]);
    }
  }
  paths.delete(driver);
  const others = uses.filter((use) => use !== driver);
  return others.every((use) => paths.has(use)) ? paths : undefined;
}
