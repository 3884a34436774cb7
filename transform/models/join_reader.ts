import { type ContractTable, typeSql } from "../../lib/project/contract.ts";
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
} from "../../lib/models/query_columns.ts";
import {
  ctesOf,
  nodeOf,
  nodesOf,
  type SqlNode,
  textOf,
  textsOf,
} from "../../lib/models/sql_tree.ts";
import { WHOLE_NUMBERS } from "../../lib/project/contract_types.ts";
import { foldName } from "../../lib/sql/fold_name.ts";

/** A place where a query reads a source table. */
export interface TableUse {
  table: string;
  node: SqlNode;
}

/** A column of a source table at one of the places where a query reads it. */
interface UsedColumn {
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

/** Joins whose left rows are there as they are, if at all. */
const JOINS = ["INNER", "LEFT", "SEMI", "ANTI"];

/** Reads relations, and collects where tables are read and how they join. */
export class JoinReader {
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
      ? scope.get(foldName(name))?.() ?? NOTHING
      : this.#table(node);
    return renamed(relation, { aliases, name: alias || name });
  }

  #table(node: SqlNode): Relation {
    const name = foldName(textOf(node.table_name));
    const table = this.#tables.find((one) => foldName(one.name) === name);
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

function renamed(
  relation: Relation,
  options: { aliases: readonly string[]; name: string },
): Relation {
  return {
    ...relation,
    columns: renamedColumns(relation.columns, options),
  };
}
