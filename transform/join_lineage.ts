import { type ContractTable, typeSql } from "../lib/project/contract.ts";
import type { ModelSql } from "../lib/project/project_sql.ts";
import {
  columnName,
  findColumn,
  isNamed,
  type QueryColumn,
  renamedColumns,
  rightColumns,
  starColumns,
  withoutRepeated,
  withoutSource,
} from "./query_columns.ts";
import {
  ctesOf,
  nodeOf,
  nodesOf,
  type SqlNode,
  textOf,
  textsOf,
  walk,
} from "./sql_tree.ts";

/** A place where a query reads a source table. */
export interface TableUse {
  table: string;
  node: SqlNode;
}

/** A column of a source table at one of the places where a query reads it. */
export interface UsedColumn {
  use: TableUse;
  column: string;
  /** Columns of the same kind of type can be compared, whatever they hold. */
  kind: string;
}

/**
 * A necessary condition of a join: a row of `from.use` that takes part in a
 * result is beside a row of `to.use` with an equal value.
 */
export interface Link {
  from: UsedColumn;
  to: UsedColumn;
}

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

type Column = QueryColumn<UsedColumn>;
type Scope = ReadonlyMap<string, () => Relation>;

interface Relation {
  columns: readonly Column[];
  /** The uses of which each of its rows has at most one row, kept as it is. */
  drivers: readonly TableUse[];
  /** Whether `columns` are all that it has, in their order. */
  isListed: boolean;
}

const NOTHING: Relation = { columns: [], drivers: [], isListed: false };
const WHOLE_NUMBERS = ["smallint", "integer", "bigint"];
/** Joins whose left rows are there as they are, if at all. */
const JOINS = ["INNER", "LEFT", "SEMI", "ANTI"];

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
      textOf(node.function_name).toLowerCase() !== "unnest" &&
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

/** Reads relations, and collects where tables are read and how they join. */
class JoinReader {
  readonly uses: TableUse[] = [];
  readonly links: Link[] = [];
  readonly #tables: readonly ContractTable[];

  constructor(tables: readonly ContractTable[]) {
    this.#tables = tables;
  }

  select(query: SqlNode, outer: Scope): Relation {
    const scope = new Map(outer);
    for (const { name, aliases, query: own } of ctesOf(query)) {
      const seen = new Map(scope);
      scope.set(name, () => renamed(this.select(own, seen), { aliases, name }));
    }
    if (query.type !== "SELECT_NODE") return NOTHING;
    const from = this.#relation(nodeOf(query.from_table), scope);
    const expressions = nodesOf(query.select_list);
    const isListed = expressions.every((expression) =>
      isNamed(expression, { query, isListed: from.isListed })
    );
    const columns = withoutRepeated(
      expressions.flatMap((expression) => output(expression, from.columns)),
    );
    // A select without groups that shows a plain column is no aggregate.
    const isGrouped = nodesOf(query.group_expressions).length > 0 ||
      query.aggregate_handling !== "STANDARD_HANDLING" ||
      nodesOf(query.modifiers).some(({ type }) => type === "DISTINCT_MODIFIER");
    return {
      columns: isListed && !hasGroupingSets(query)
        ? columns
        : columns.map(withoutSource),
      drivers: isGrouped ? [] : from.drivers,
      isListed,
    };
  }

  #relation(node: SqlNode | undefined, scope: Scope): Relation {
    const type = textOf(node?.type);
    if (node === undefined) return NOTHING;
    const alias = textOf(node.alias);
    const aliases = textsOf(node.column_name_alias);
    if (type === "SUBQUERY") {
      const query = nodeOf(nodeOf(node.subquery)?.node) ?? {};
      return renamed(this.select(query, scope), { aliases, name: alias });
    }
    if (type === "JOIN") return this.#join(node, scope);
    if (type !== "BASE_TABLE") return NOTHING;
    const name = textOf(node.table_name);
    const relation = textOf(node.schema_name) === ""
      ? scope.get(name.toLowerCase())?.() ?? NOTHING
      : this.#table(node);
    return renamed(relation, { aliases, name: alias || name });
  }

  #table(node: SqlNode): Relation {
    const name = textOf(node.table_name).toLowerCase();
    const table = this.#tables.find((one) => one.name.toLowerCase() === name);
    if (table === undefined) return NOTHING;
    const use = { table: table.name, node };
    this.uses.push(use);
    const columns = table.columns.map(({ name, type }) => ({
      relation: "",
      name,
      source: {
        use,
        column: name,
        kind: WHOLE_NUMBERS.includes(type.name) ? "number" : typeSql(type),
      },
    }));
    return { columns, drivers: [use], isListed: true };
  }

  #join(node: SqlNode, scope: Scope): Relation {
    const left = this.#relation(nodeOf(node.left), scope);
    const right = this.#relation(nodeOf(node.right), scope);
    const type = textOf(node.join_type);
    const isFollowed = JOINS.includes(type) &&
      ["REGULAR", "CROSS"].includes(textOf(node.ref_type));
    const columns = [...left.columns, ...rightColumns(node, right.columns)];
    if (!isFollowed) {
      return {
        columns: columns.map(withoutSource),
        drivers: [],
        isListed: false,
      };
    }
    const using = textsOf(node.using_columns).map((name) => [[name], [name]]);
    const pairs = [...using, ...equalities(node.condition)];
    for (const [one = [], other = []] of pairs) {
      this.#link(type, { one, other, left, right });
      this.#link(type, { one: other, other: one, left, right });
    }
    const isInner = type === "INNER";
    const drivers = [...left.drivers, ...isInner ? right.drivers : []];
    const isListed = left.isListed &&
      (right.isListed || ["SEMI", "ANTI"].includes(type));
    return { columns, drivers, isListed };
  }

  /** Adds the links of an equality between a column of each side. */
  #link(
    type: string,
    sides: {
      one: readonly string[];
      other: readonly string[];
      left: Relation;
      right: Relation;
    },
  ): void {
    const { one, other, left, right } = sides;
    const from = findColumn(other, right.columns)?.source;
    const to = findColumn(one, left.columns)?.source;
    if (from === undefined || from.kind !== to?.kind) return;
    this.links.push({ from, to });
    if (type === "INNER") this.links.push({ from: to, to: from });
  }
}

/** Whether a group's column may be null because another set lacks it. */
function hasGroupingSets({ group_sets, group_expressions }: SqlNode): boolean {
  const sets = Array.isArray(group_sets) ? group_sets : [];
  const [first = []] = sets;
  return sets.length > 1 ||
    Array.isArray(first) && first.length < nodesOf(group_expressions).length;
}

/** The equalities of two columns that a condition demands. */
function equalities(condition: unknown): string[][][] {
  const node = nodeOf(condition);
  if (node === undefined) return [];
  if (node.type === "CONJUNCTION_AND") {
    return nodesOf(node.children).flatMap(equalities);
  }
  if (node.type !== "COMPARE_EQUAL") return [];
  const sides = [nodeOf(node.left), nodeOf(node.right)];
  return sides.every((side) => side?.class === "COLUMN_REF")
    ? [sides.map((side) => textsOf(side?.column_names))]
    : [];
}

function output(expression: SqlNode, from: readonly Column[]): Column[] {
  if (expression.class === "STAR") return starColumns(expression, from);
  const names = expression.class === "COLUMN_REF"
    ? textsOf(expression.column_names)
    : [];
  return [{
    relation: "",
    name: columnName(expression, from),
    source: findColumn(names, from)?.source,
  }];
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

function renamed(
  relation: Relation,
  options: { aliases: readonly string[]; name: string },
): Relation {
  return {
    ...relation,
    columns: renamedColumns(relation.columns, options),
  };
}
