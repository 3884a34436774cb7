import { exactNumber } from "../exact_number.ts";
import type { DuckDb } from "../duckdb/duckdb.ts";
import { quoteText } from "../sql/quote.ts";
import { foldName } from "../sql/fold_name.ts";

/**
 * A node of a query as DuckDB parses it, from `json_serialize_sql`: a select, a
 * relation, an expression or a part of one.
 */
export interface SqlNode {
  readonly [field: string]: unknown;
}

/** The classes of a column in a parsed query and in a plan. */
const COLUMNS = [
  "COLUMN_REF",
  "POSITIONAL_REFERENCE",
  "STAR",
  "BOUND_COLUMN_REF",
  "BOUND_REF",
];

/** A query as DuckDB parses it, or why it isn't one. */
export type ParsedQuery = { query: SqlNode } | { problem: string };

/** Parses a text that must be one select. */
export async function parseSelect(
  duckdb: DuckDb,
  sql: string,
): Promise<ParsedQuery> {
  const [row] = await duckdb.rows(
    `select json_serialize_sql(${quoteText(sql)}) as parsed`,
  );
  return readParsed(row?.parsed ?? "{}");
}

/**
 * Reads the output of `json_serialize_sql`; a number that JavaScript would
 * round stays as its text.
 */
export function readParsed(json: string): ParsedQuery {
  const parsed: SqlNode = JSON.parse(json, exactNumber);
  if (parsed.error !== false) {
    return { problem: `it is not a select: ${parsed.error_message}` };
  }
  const statements = nodesOf(parsed.statements);
  const [statement] = statements;
  if (statement === undefined || statements.length > 1) {
    return { problem: "it is more than one statement" };
  }
  return { query: nodeOf(statement.node) ?? {} };
}

/** A field that holds a node. */
export function nodeOf(field: unknown): SqlNode | undefined {
  return isNode(field) ? field : undefined;
}

/** A field that holds several. */
export function nodesOf(field: unknown): SqlNode[] {
  return Array.isArray(field) ? field.filter(isNode) : [];
}

/** A field that holds a text. */
export function textOf(field: unknown): string {
  return typeof field === "string" ? field : "";
}

/** A field that holds several texts. */
export function textsOf(field: unknown): string[] {
  return Array.isArray(field) ? field.map(textOf) : [];
}

/** The CTEs of a query, by name. */
export function ctesOf(
  query: SqlNode,
): { name: string; aliases: string[]; query: SqlNode }[] {
  return nodesOf(nodeOf(query.cte_map)?.map).map((entry) => {
    const value = nodeOf(entry.value);
    return {
      name: foldName(textOf(entry.key)),
      aliases: textsOf(value?.aliases),
      query: nodeOf(nodeOf(value?.query)?.node) ?? {},
    };
  });
}

/** `unnest`, and DuckDB's macros of it. */
export const UNNESTING: readonly string[] = [
  "generate_subscripts",
  "regexp_split_to_table",
  "unnest",
];

/** Whether a node calls a function that makes many rows of one value. */
export function isUnnest({ function_name: name }: SqlNode): boolean {
  return UNNESTING.includes(foldName(textOf(name)));
}

/** Visits a node and everything below it. */
export function walk(node: unknown, visit: (node: SqlNode) => void): void {
  if (Array.isArray(node)) node.forEach((one) => walk(one, visit));
  if (!isNode(node)) return;
  visit(node);
  Object.values(node).forEach((one) => walk(one, visit));
}

/**
 * Whether a function is given the order of its rows, in a parsed query or a
 * plan; a constant orders nothing.
 */
export function isOrdered(node: SqlNode): boolean {
  return [
    ...nodesOf(nodeOf(node.order_bys)?.orders),
    ...nodesOf(node.orders),
    ...nodesOf(node.arg_orders),
  ].some(({ expression }) => namesColumn(expression));
}

/** Whether an expression contains a column, or all of them. */
export function namesColumn(expression: unknown): boolean {
  let found = false;
  walk(expression, ({ type }) => {
    if (COLUMNS.includes(textOf(type))) found = true;
  });
  return found;
}

function isNode(field: unknown): field is SqlNode {
  return typeof field === "object" && field !== null && !Array.isArray(field);
}
