import type { QueryParts } from "../../lib/batches/manifest.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { shortChecksum } from "../../lib/zone/checksum.ts";
import {
  aggregatesIn,
  type FunctionKinds,
} from "../../lib/models/volatile_functions.ts";
import {
  ctesOf,
  nodeOf,
  nodesOf,
  type SqlNode,
  textOf,
  textsOf,
} from "../../lib/models/sql_tree.ts";
import { foldName } from "../../lib/sql/fold_name.ts";

/** A named column of a select whose columns don't depend on each other. */
export interface SelectColumn {
  /** The CTE that gives it; empty for the main select. */
  select: string;
  name: string;
  expression: SqlNode;
  /** How many columns without a name, or stars, a CTE gives before it. */
  after: number;
  /** Whether a star of a CTE follows it: of one name, the first column has it. */
  isBeforeStar: boolean;
}

/** A query as columns that could be added or left out, and the rest of it. */
export interface SplitQuery {
  columns: readonly SelectColumn[];
  rest: SqlNode;
}

/**
 * Takes the named columns out of a query: of its main select and of its CTEs,
 * where another column leaves the rows as they are. `distinct`, `group by all`,
 * a set operation, positions instead of names: such a select stays whole.
 */
export function splitQuery(query: SqlNode, kinds: FunctionKinds): SplitQuery {
  const columns: SelectColumn[] = [];
  const aliased = new Set(
    ctesOf(query).filter(({ aliases }) => aliases.length > 0)
      .map(({ name }) => name),
  );
  const withoutColumns = (select: SqlNode, name: string): SqlNode => {
    const named = aliased.has(name) ? undefined : namedColumns(select);
    if (named === undefined) return select;
    const own = new Set(named.map(({ expression }) => expression));
    const list = nodesOf(select.select_list);
    columns.push(...named.map((one) => {
      const at = name === "" ? 0 : list.indexOf(one.expression);
      return {
        ...one,
        select: name,
        after: list.slice(0, at).filter((other) => !own.has(other)).length,
        isBeforeStar: name !== "" &&
          list.slice(at).some((other) => other.class === "STAR"),
      };
    }));
    return {
      ...select,
      select_list: list.filter((expression) => !own.has(expression)),
      // Of all rows it makes one.
      aggregates: aggregatesIn(withoutSubqueries({ list }), kinds).length > 0,
    };
  };
  const map = nodesOf(nodeOf(query.cte_map)?.map).map((entry) => {
    const value = nodeOf(entry.value);
    const own = nodeOf(value?.query);
    const node = nodeOf(own?.node) ?? {};
    const name = foldName(textOf(entry.key));
    return {
      ...entry,
      value: { ...value, query: { ...own, node: withoutColumns(node, name) } },
    };
  });
  const rest = withoutColumns({ ...query, cte_map: { map } }, "");
  return { columns, rest };
}

/** Hashes the parts of a model's query. */
export function queryParts(
  { columns, rest }: SplitQuery,
  model: ModelSql,
): QueryParts {
  const { name, kind, derivation, key, reads, times, recordId } = model;
  const given = columns.filter(({ select }) => select === "")
    .map((column) => column.name);
  const selects = [...new Set(columns.map(({ select }) => select))];
  return {
    rest: hash([
      { name, kind, derivation, key, recordId, reads: reads.toSorted() },
      times.filter((time) => !given.includes(time)).toSorted(),
      rest,
    ]),
    columns: Object.fromEntries(selects.map((select) => [
      select,
      Object.fromEntries(
        columns.filter((column) => column.select === select)
          .map(({ name, expression, after }) => {
            const isTime = select === "" && times.includes(name);
            return [name, hash([expression, isTime, after])];
          }),
      ),
    ])),
  };
}

/** The columns that have a name; undefined if the select must stay whole. */
function namedColumns(
  select: SqlNode,
): Pick<SelectColumn, "name" | "expression">[] | undefined {
  const isPlain = select.type === "SELECT_NODE" &&
    nodesOf(select.modifiers).length === 0 &&
    select.aggregate_handling === "STANDARD_HANDLING" &&
    nodesOf(select.group_expressions)
      .every((expression) => expression.class !== "CONSTANT");
  if (!isPlain) return undefined;
  const columns = nodesOf(select.select_list)
    .map((expression) => ({ name: nameOf(expression), expression }))
    .filter(({ name }) => name !== "");
  const names = columns.map(({ name }) => foldName(name));
  return new Set(names).size === names.length ? columns : undefined;
}

/** The name that DuckDB gives a column; empty for those that it makes up. */
function nameOf(expression: SqlNode): string {
  if (expression.class === "STAR") return "";
  const alias = textOf(expression.alias);
  return alias === "" && expression.class === "COLUMN_REF"
    ? textsOf(expression.column_names).at(-1) ?? ""
    : alias;
}

/** What a select computes itself: the aggregates of subqueries are theirs. */
function withoutSubqueries(node: SqlNode): SqlNode {
  return JSON.parse(JSON.stringify(
    node,
    (_, one) => one?.class === "SUBQUERY" ? null : one,
  ));
}

/** A hash that where a text stands, and DuckDB's order of fields, don't change. */
function hash(value: unknown): string {
  const text = JSON.stringify(
    value,
    (field, one) => field === "query_location" ? undefined : one,
  );
  return shortChecksum(new TextEncoder().encode(text));
}
