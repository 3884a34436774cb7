import type { DuckDb } from "../duckdb/duckdb.ts";
import { foreignReads } from "./check_select.ts";
import {
  isOrdered,
  namesColumn,
  nodeOf,
  nodesOf,
  readParsed,
  type SqlNode,
  textOf,
  textsOf,
  walk,
} from "./sql_tree.ts";
import { foldName } from "../sql/fold_name.ts";

/** The kinds of DuckDB's functions, by name. */
export interface FunctionKinds {
  /** Those whose result differs by time or session. */
  volatile: ReadonlySet<string>;
  /** Those that make one value from many rows. */
  aggregates: ReadonlySet<string>;
}

/**
 * Functions that DuckDB calls stable, but that use more than their arguments.
 */
const VOLATILE = [
  "approx_quantile",
  "approx_top_k",
  "current_localtime",
  "current_localtimestamp",
  "current_setting",
  "getenv",
  "getvariable",
  "reservoir_quantile",
  "vector_type",
  "version",
];

/** It always raises an error, so it never gives a result. */
const RAISES = "error";
/** Written without brackets, where no column has that name. */
const VALUE_WORDS = [
  "current_catalog",
  "current_database",
  "current_date",
  "current_role",
  "current_schema",
  "current_time",
  "current_timestamp",
  "current_user",
  "localtime",
  "localtimestamp",
  "rowid",
  "session_user",
  "user",
];
/** Functions that follow the order of their input unless one is given. */
const ORDERED = new Set([
  "any_value",
  "arbitrary",
  "arg_max",
  "arg_max_null",
  "arg_max_nulls_last",
  "arg_min",
  "arg_min_null",
  "arg_min_nulls_last",
  "argmax",
  "argmin",
  "array_agg",
  "cume_dist",
  "dense_rank",
  "fill",
  "first",
  "first_value",
  "group_concat",
  "lag",
  "last",
  "last_value",
  "lead",
  "list",
  "listagg",
  "max_by",
  "min_by",
  "mode",
  "nth_value",
  "ntile",
  "percent_rank",
  "rank",
  "rank_dense",
  "row_number",
  "string_agg",
]);
/**
 * What sorts a list of values, whose order before doesn't matter then. DuckDB's
 * parser writes `list(x order by x)` as `list_sort(list(x))`.
 */
const SORTING = new Set([
  "array_reverse_sort",
  "array_sort",
  "list_reverse_sort",
  "list_sort",
]);
/** How deep macros may call macros. */
const MACRO_DEPTH_MAX = 5;

/** The same in each DuckDB of a process, and slow to ask for. */
let known: FunctionKinds | undefined;

/**
 * Asks DuckDB for its functions, once in a process; a macro counts as what its
 * text calls, and as volatile if it reads DuckDB's catalogue.
 */
export async function readFunctionKinds(
  duckdb: DuckDb,
): Promise<FunctionKinds> {
  return known ??= await askForKinds(duckdb);
}

async function askForKinds(duckdb: DuckDb): Promise<FunctionKinds> {
  // DuckDB makes thousands of rows for this, whatever is asked for.
  const functions = await duckdb.rows(
    `select distinct function_name as name, function_type as type, stability,
      case when function_type = 'macro'
        then json_serialize_sql('select ' || macro_definition)
      end as parsed
    from duckdb_functions()
    where function_type in ('scalar', 'aggregate')
      or function_type = 'macro' and macro_definition is not null`,
  );
  const volatile = new Set(VOLATILE);
  const aggregates = new Set<string>();
  const macros: { name: string; query: SqlNode }[] = [];
  for (const { name, type, stability, parsed } of functions) {
    if (name === null || name === undefined) continue;
    if (type === "macro") {
      const read = readParsed(parsed ?? "{}");
      if (!("problem" in read)) macros.push({ name, query: read.query });
    } else if (type === "aggregate") aggregates.add(name);
    else if (stability !== "CONSISTENT" && name !== RAISES) volatile.add(name);
  }
  for (let depth = 0; depth < MACRO_DEPTH_MAX; depth++) {
    const before = volatile.size + aggregates.size;
    for (const { name, query } of macros) {
      const kinds = { volatile, aggregates };
      if (
        volatileParts(query, { kinds, columns: [] }).length > 0 ||
        foreignReads(query).length > 0
      ) volatile.add(name);
      if (aggregatesIn(query, kinds).length > 0) aggregates.add(name);
    }
    if (volatile.size + aggregates.size === before) break;
  }
  return { volatile, aggregates };
}

/**
 * Finds the parts of a query that may give another result for the same rows, at
 * another time or in another order. Each is described for people, with what to
 * write instead.
 */
export function volatileParts(
  query: SqlNode,
  options: { kinds: FunctionKinds; columns: readonly string[] },
): string[] {
  const { kinds, columns } = options;
  const found: string[] = [];
  const sorted = new Set<SqlNode>();
  walk(query, (node) => {
    const name = foldName(textOf(node.function_name));
    const [first] = nodesOf(node.children);
    if (SORTING.has(name) && first !== undefined) sorted.add(first);
    if (node.class === "FUNCTION" || node.class === "WINDOW") {
      const isAge = name === "age" && nodesOf(node.children).length === 1;
      if (kinds.volatile.has(name) || isAge) found.push(`${name}()`);
      else if (ORDERED.has(name) && !isOrdered(node) && !sorted.has(node)) {
        found.push(`${name}() without order by`);
      } else if (isFrameOfRows(node) && !isOrdered(node)) {
        found.push(`${name}() over rows without order by`);
      }
    }
    if (node.class === "COLUMN_REF") {
      const [word = "", ...others] = textsOf(node.column_names)
        .map(foldName);
      if (
        others.length === 0 && VALUE_WORDS.includes(word) &&
        !columns.includes(word)
      ) found.push(`${word} (write table.${word} if it is a column)`);
    }
    if (node.class === "PARAMETER") found.push("a parameter");
    if (nodeOf(node.sample) !== undefined) found.push("a sample");
    if (node.ref_type === "POSITIONAL") found.push("a positional join");
    if (node.ref_type === "ASOF") found.push("an asof join");
    // Of several rows with one key, whichever comes last is kept.
    if (
      node.type === "RECURSIVE_CTE_NODE" && nodesOf(node.key_targets).length > 0
    ) found.push("a recursive query with using key");
    found.push(...unorderedModifiers(node));
  });
  return [...new Set(found)];
}

/** The functions in a query that make one value from many rows. */
export function aggregatesIn(query: SqlNode, kinds: FunctionKinds): string[] {
  const found = new Set<string>();
  walk(query, (node) => {
    const name = foldName(textOf(node.function_name));
    if (node.class === "FUNCTION" && kinds.aggregates.has(name)) {
      found.add(`${name}()`);
    }
  });
  return [...found];
}

/** Without an order, a frame of rows follows the order of its input. */
function isFrameOfRows({ start, end }: SqlNode): boolean {
  return [start, end].some((bound) => textOf(bound).endsWith("_ROWS"));
}

function unorderedModifiers({ modifiers }: SqlNode): string[] {
  const given = nodesOf(modifiers);
  const orders = given.flatMap((one) => nodesOf(one.orders));
  if (orders.some(({ expression }) => ordersRows(expression))) return [];
  return given.flatMap(({ type, distinct_on_targets: targets }) =>
    textOf(type).startsWith("LIMIT")
      ? ["limit or offset without order by"]
      : type === "DISTINCT_MODIFIER" && nodesOf(targets).length > 0
      ? ["distinct on without order by"]
      : []
  );
}

/**
 * Whether a query's own order has any effect: a number is a column's position.
 */
function ordersRows(expression: unknown): boolean {
  const { type, value } = nodeOf(expression) ?? {};
  return namesColumn(expression) ||
    (type === "VALUE_CONSTANT" && typeof nodeOf(value)?.value === "number");
}
