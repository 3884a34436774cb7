import {
  nodeOf,
  nodesOf,
  type SqlNode,
  textOf,
  textsOf,
  walk,
} from "./sql_tree.ts";
import { foldName } from "../sql/fold_name.ts";

/** A column of a relation in a query, followed back to where it comes from. */
export interface QueryColumn<Source> {
  /** The relation's name in the query that reads it. */
  relation: string;
  name: string;
  /**
   * The source table's column that it is, unchanged; undefined for any other.
   */
  source?: Source | undefined;
}

/** A relation's columns under its name in the query that reads it. */
export function renamedColumns<Source>(
  columns: readonly QueryColumn<Source>[],
  options: { aliases: readonly string[]; name: string },
): QueryColumn<Source>[] {
  const { aliases, name } = options;
  return withoutRepeated(columns.map((column, index) => ({
    ...column,
    relation: name,
    name: aliases[index] ?? column.name,
  })));
}

/** The column that a reference names; undefined if none or several could be. */
export function findColumn<Source>(
  names: readonly string[],
  columns: readonly QueryColumn<Source>[],
): QueryColumn<Source> | undefined {
  const [name = "", relation] = names.map(foldName)
    .toReversed();
  const found = columns.filter((column) =>
    foldName(column.name) === name &&
    (relation === undefined || foldName(column.relation) === relation)
  );
  return found.length === 1 ? found[0] : undefined;
}

/** The columns of `*`, with what it excludes, replaces and renames. */
export function starColumns<Source>(
  expression: SqlNode,
  from: readonly QueryColumn<Source>[],
): QueryColumn<Source>[] {
  // The columns that a pattern selects are not followed.
  if (nodeOf(expression.expr) !== undefined) return [];
  const relation = foldName(textOf(expression.relation_name));
  const excluded = [
    ...textsOf(expression.exclude_list),
    ...nodesOf(expression.qualified_exclude_list)
      .map(({ column }) => textOf(column)),
  ].map(foldName);
  const replaced = nodesOf(expression.replace_list)
    .map(({ key }) => foldName(textOf(key)));
  const names = new Map(
    nodesOf(expression.rename_list).map(({ key, value }) => [
      foldName(textOf(nodeOf(key)?.column)),
      textOf(value),
    ]),
  );
  return from.filter((column) =>
    !excluded.includes(foldName(column.name)) &&
    (relation === "" || foldName(column.relation) === relation)
  ).map((column) => {
    const name = foldName(column.name);
    return {
      relation: "",
      name: names.get(name) ?? column.name,
      source: replaced.includes(name) ? undefined : column.source,
    };
  });
}

/** The columns that a join shows of its right side. */
export function rightColumns<Source>(
  node: SqlNode,
  columns: readonly QueryColumn<Source>[],
): readonly QueryColumn<Source>[] {
  if (["SEMI", "ANTI"].includes(textOf(node.join_type))) return [];
  const using = textsOf(node.using_columns).map(foldName);
  return columns.filter(({ name }) => !using.includes(foldName(name)));
}

/**
 * Whether the columns that an expression of a select gives are known by name.
 * What DuckDB makes of them matters, as it renames the second of a name.
 */
export function isNamed(
  expression: SqlNode,
  { query, isListed }: {
    query: SqlNode;
    /** Whether all columns of its FROM are known, in their order. */
    isListed: boolean;
  },
): boolean {
  let isPattern = false;
  walk(expression, (node) => isPattern ||= node.columns === true);
  if (isPattern) return false;
  if (expression.class !== "STAR") {
    return expression.class === "COLUMN_REF" || textOf(expression.alias) !== "";
  }
  return isListed &&
    nodesOf(expression.qualified_exclude_list).length === 0 &&
    (textOf(expression.relation_name) === "" ||
      !mergesColumns(query.from_table));
}

/** Whether a FROM shows two columns as one, which `table.*` still has. */
function mergesColumns(field: unknown): boolean {
  const node = nodeOf(field);
  return node?.type === "JOIN" &&
    (textsOf(node.using_columns).length > 0 || mergesColumns(node.left) ||
      mergesColumns(node.right));
}

/** Columns, those without source that a repeated name may be renamed to. */
export function withoutRepeated<Source>(
  columns: readonly QueryColumn<Source>[],
): QueryColumn<Source>[] {
  const names = columns.map(({ name }) => foldName(name));
  const repeated = names.filter((name, index) => names.indexOf(name) < index);
  return columns.map((column) =>
    repeated.some((name) => foldName(column.name).startsWith(`${name}_`))
      ? withoutSource(column)
      : column
  );
}

/** A column of which it is not known what it comes from. */
export function withoutSource<Source>(
  { relation, name }: QueryColumn<Source>,
): QueryColumn<Source> {
  return { relation, name };
}

/** The name that DuckDB gives a column of a select; empty if it is not known. */
export function columnName<Source>(
  expression: SqlNode,
  from: readonly QueryColumn<Source>[],
): string {
  const alias = textOf(expression.alias);
  if (alias !== "") return alias;
  if (expression.class === "COLUMN_REF") {
    return textsOf(expression.column_names).at(-1) ?? "";
  }
  return expression.class === "POSITIONAL_REFERENCE"
    ? from[Number(expression.index) - 1]?.name ?? ""
    : "";
}
