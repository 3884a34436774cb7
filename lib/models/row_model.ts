import { type ContractTable, typeSql } from "../project/contract.ts";
import { aggregatesIn, type FunctionKinds } from "./volatile_functions.ts";
import {
  columnName,
  findColumn,
  type QueryColumn,
  renamedColumns,
  rightColumns,
  starColumns,
  withoutRepeated,
} from "./query_columns.ts";
import {
  ctesOf,
  isUnnest,
  nodeOf,
  nodesOf,
  type SqlNode,
  textOf,
  textsOf,
  walk,
} from "./sql_tree.ts";
import { WHOLE_NUMBERS } from "../project/contract_types.ts";
import { foldName } from "../sql/fold_name.ts";

type Column = QueryColumn<string>;

interface Relation {
  columns: Column[];
  /** Whether the source table's rows are in it. */
  hasTable: boolean;
}

/** The CTEs that a query can see. */
type Scope = ReadonlyMap<string, () => Relation>;

/** A row model's column sources, or why it isn't one. */
export interface RowLineage {
  problems: string[];
  /** The source column that a column of the model is, if it is one. */
  sources: ReadonlyMap<string, string>;
}

/**
 * Follows the columns of a `row` model through CTEs and subqueries to its
 * source table, and finds what gives more than one row for a source row, or
 * makes a row depend on others.
 */
export function followRow(
  query: SqlNode,
  options: { table: ContractTable; kinds: FunctionKinds },
): RowLineage {
  const { table, kinds } = options;
  const problems = [
    ...aggregatesIn(query, kinds).map((name) => `it has ${name}`),
    ...multipliers(query),
  ];
  const reader = new LineageReader(table);
  const { columns } = reader.select(query, new Map());
  problems.push(...reader.problems);
  if (reader.reads !== 1) {
    problems.push(`it reads changed.${table.name} ${reader.reads} times`);
  }
  const sources = new Map<string, string>();
  for (const { name, source } of columns) {
    if (source !== undefined) sources.set(foldName(name), source);
  }
  return { problems: [...new Set(problems)], sources };
}

/**
 * Finds what gives more rows than it reads, or looks at more than one of them.
 */
function multipliers(query: SqlNode): string[] {
  const found: string[] = [];
  walk(query, (node) => {
    if (node.class === "WINDOW") found.push("it has a window function");
    if (node.class === "FUNCTION" && isUnnest(node)) {
      found.push(`it has ${textOf(node.function_name).toLowerCase()}()`);
    }
    if (node.type === "TABLE_FUNCTION") {
      found.push(`it reads ${textOf(nodeOf(node.function)?.function_name)}()`);
    }
    if (node.type === "SET_OPERATION_NODE") {
      found.push(`it has ${textOf(node.setop_type).toLowerCase()}`);
    }
    if (textOf(node.type).startsWith("RECURSIVE_CTE")) {
      found.push("it has a recursive query");
    }
    if (
      nodesOf(node.group_expressions).length > 0 ||
      node.aggregate_handling === "FORCE_AGGREGATES"
    ) found.push("it has group by");
    for (const clause of ["having", "qualify", "sample"]) {
      if (nodeOf(node[clause]) !== undefined) found.push(`it has ${clause}`);
    }
    for (const { type } of nodesOf(node.modifiers)) {
      if (type === "DISTINCT_MODIFIER") found.push("it has distinct");
      if (textOf(type).startsWith("LIMIT")) {
        found.push("it has limit or offset");
      }
    }
  });
  return found;
}

/** Reads relations, and counts how often the source table is among them. */
class LineageReader {
  reads = 0;
  readonly problems: string[] = [];
  readonly #table: ContractTable;

  constructor(table: ContractTable) {
    this.#table = table;
  }

  select(query: SqlNode, outer: Scope): Relation {
    const scope = new Map(outer);
    for (const { name, aliases, query: own } of ctesOf(query)) {
      const seen = new Map(scope);
      scope.set(name, () => renamed(this.select(own, seen), aliases, name));
    }
    const [first, second] = [nodeOf(query.left), nodeOf(query.right)];
    if (first !== undefined && second !== undefined) {
      const sides = [this.select(first, scope), this.select(second, scope)];
      return {
        columns: sides[0]?.columns ?? [],
        hasTable: sides.some(({ hasTable }) => hasTable),
      };
    }
    const from = this.#relation(nodeOf(query.from_table), scope);
    const { from_table: _, cte_map: __, ...expressions } = query;
    this.#checkSubqueries(expressions, scope);
    const columns = nodesOf(query.select_list)
      .flatMap((expression) => this.#output(expression, from.columns));
    return { columns: withoutRepeated(columns), hasTable: from.hasTable };
  }

  #relation(node: SqlNode | undefined, scope: Scope): Relation {
    const alias = textOf(node?.alias);
    const aliases = textsOf(node?.column_name_alias);
    switch (textOf(node?.type)) {
      case "BASE_TABLE": {
        const name = textOf(node?.table_name);
        if (textOf(node?.schema_name) === "") {
          const cte = scope.get(foldName(name));
          return renamed(cte?.() ?? NONE, aliases, alias || name);
        }
        this.reads++;
        return renamed(this.#ofTable(), aliases, alias || name);
      }
      case "SUBQUERY": {
        const query = nodeOf(nodeOf(node?.subquery)?.node) ?? {};
        return renamed(this.select(query, scope), aliases, alias);
      }
      case "JOIN":
        return this.#join(node ?? {}, scope);
      case "EXPRESSION_LIST": {
        const [first] = Array.isArray(node?.values) ? node.values : [];
        const columns = nodesOf(first).map((_, index) => ({
          relation: "",
          name: `col${index}`,
        }));
        return renamed({ columns, hasTable: false }, aliases, alias);
      }
      default:
        return NONE;
    }
  }

  #ofTable(): Relation {
    return {
      hasTable: true,
      columns: this.#table.columns.map(({ name }) => ({
        relation: "",
        name,
        source: name,
      })),
    };
  }

  #join(node: SqlNode, scope: Scope): Relation {
    const left = this.#relation(nodeOf(node.left), scope);
    const right = this.#relation(nodeOf(node.right), scope);
    this.#checkSubqueries(node.condition, scope);
    const kind = textOf(node.join_type);
    // The other side's rows must not appear without one of the table's.
    const kept = { LEFT: left, RIGHT: right, SEMI: left, ANTI: left }[kind];
    const hasTable = left.hasTable || right.hasTable;
    if (
      !["REGULAR", "CROSS", "DEPENDENT"].includes(textOf(node.ref_type)) ||
      hasTable && kind !== "INNER" && kept?.hasTable !== true
    ) {
      this.problems.push(
        `it has a ${
          [
            textOf(node.ref_type).replace("REGULAR", ""),
            kind === "INNER" ? "" : kind,
          ].filter((word) => word !== "").join(" ").toLowerCase()
        } join`,
      );
    }
    return {
      columns: [...left.columns, ...rightColumns(node, right.columns)],
      hasTable,
    };
  }

  /** A query in an expression sees one row and must not look for others. */
  #checkSubqueries(expressions: unknown, scope: Scope): void {
    const before = this.reads;
    walk(expressions, (node) => {
      if (node.class !== "SUBQUERY") return;
      this.select(nodeOf(nodeOf(node.subquery)?.node) ?? {}, scope);
    });
    if (this.reads > before) {
      this.problems.push(
        `it reads changed.${this.#table.name} in an expression`,
      );
    }
  }

  #output(expression: SqlNode, from: readonly Column[]): Column[] {
    if (expression.class === "STAR") return starColumns(expression, from);
    const bare = this.#withoutCast(expression, from);
    const column = bare === undefined ? undefined : findColumn(bare, from);
    return [{
      relation: "",
      name: columnName(expression, from),
      source: column?.source,
    }];
  }

  /** A cast that keeps different values different doesn't change a key. */
  #withoutCast(
    expression: SqlNode,
    from: readonly Column[],
  ): readonly string[] | undefined {
    if (expression.class === "COLUMN_REF") {
      return textsOf(expression.column_names);
    }
    const child = nodeOf(expression.child);
    if (expression.type !== "OPERATOR_CAST" || child === undefined) return;
    if (expression.try_cast === true) return;
    const names = this.#withoutCast(child, from);
    const source = names === undefined
      ? undefined
      : findColumn(names, from)?.source;
    const column = this.#table.columns.find(({ name }) => name === source);
    const to = textOf(nodeOf(expression.cast_type)?.id).toLowerCase();
    const widths = [column === undefined ? "" : typeSql(column.type), to]
      .map((type) => WHOLE_NUMBERS.indexOf(type));
    const [was = -1, is = -1] = widths;
    return to === "varchar" || was >= 0 && is >= was ? names : undefined;
  }
}

const NONE: Relation = { columns: [], hasTable: false };

function renamed(
  relation: Relation,
  aliases: readonly string[],
  name: string,
): Relation {
  return {
    ...relation,
    columns: renamedColumns(relation.columns, { aliases, name }),
  };
}
