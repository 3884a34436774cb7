import { nodeOf, nodesOf, type SqlNode, textOf, textsOf } from "./sql_tree.ts";

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
  return columns.map((column, index) => ({
    ...column,
    relation: name,
    name: aliases[index] ?? column.name,
  }));
}

/** The column that a reference names; undefined if none or several could be. */
export function findColumn<Source>(
  names: readonly string[],
  columns: readonly QueryColumn<Source>[],
): QueryColumn<Source> | undefined {
  const [name = "", relation] = names.map((one) => one.toLowerCase())
    .toReversed();
  const found = columns.filter((column) =>
    column.name.toLowerCase() === name &&
    (relation === undefined || column.relation.toLowerCase() === relation)
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
  const relation = textOf(expression.relation_name).toLowerCase();
  const excluded = [
    ...textsOf(expression.exclude_list),
    ...nodesOf(expression.qualified_exclude_list)
      .map(({ column }) => textOf(column)),
  ].map((name) => name.toLowerCase());
  const replaced = nodesOf(expression.replace_list)
    .map(({ key }) => textOf(key).toLowerCase());
  const names = new Map(
    nodesOf(expression.rename_list).map(({ key, value }) => [
      textOf(nodeOf(key)?.column).toLowerCase(),
      textOf(value),
    ]),
  );
  return from.filter((column) =>
    !excluded.includes(column.name.toLowerCase()) &&
    (relation === "" || column.relation.toLowerCase() === relation)
  ).map((column) => {
    const name = column.name.toLowerCase();
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
  const using = textsOf(node.using_columns).map((name) => name.toLowerCase());
  return columns.filter(({ name }) => !using.includes(name.toLowerCase()));
}
