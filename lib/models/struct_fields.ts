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
import { foldName } from "../sql/fold_name.ts";

/** What makes a struct, or may. */
const MAKES_STRUCT =
  /^(struct_|row$|from_json|json_transform|map_entries|array_zip|list_zip|regexp_extract$)/;

/**
 * Finds where a query takes columns out of a struct by a name that nothing in
 * it says is a column's: `s.*`, `unnest(s)`, and `s.name` for one of the names.
 */
export function structFields(
  query: SqlNode,
  names: readonly string[],
): string[] {
  const { relations, columns } = namesIn(query);
  if (!hasStruct(query, relations)) return [];
  const isRelation = (name: string) =>
    relations.has(foldName(name)) && !columns.has(foldName(name));
  const found: string[] = [];
  walk(query, (node) => {
    const of = textOf(node.relation_name);
    if (node.class === "STAR" && of !== "" && !isRelation(of)) {
      found.push(`${of}.*`);
    }
    if (node.class === "COLUMN_REF") {
      const parts = textsOf(node.column_names);
      const last = foldName(parts.at(-1) ?? "");
      const isNamed = names.some((name) => foldName(name) === last);
      if (parts.length > 1 && isNamed && !isRelation(parts[0] ?? "")) {
        found.push(parts.join("."));
      }
    }
    if (nodesOf(node.select_list).some((one) => isUnnested(one, columns))) {
      found.push("unnest");
    }
  });
  return [...new Set(found)];
}

/** Whether any value may be a struct; no column of a source's table is one. */
function hasStruct(query: SqlNode, relations: ReadonlySet<string>): boolean {
  let found = false;
  walk(query, (node) => {
    const [name = "", ...more] = textsOf(node.column_names);
    found ||= makesStruct(node) ||
      // A row of that relation, as a whole.
      more.length === 0 && relations.has(foldName(name));
  });
  return found;
}

function makesStruct(node: SqlNode): boolean {
  return MAKES_STRUCT.test(textOf(node.function_name)) ||
    textOf(nodeOf(node.cast_type)?.id) === "STRUCT";
}

/** The names of relations and schemas, and those that columns are given. */
function namesIn(
  query: SqlNode,
): { relations: ReadonlySet<string>; columns: ReadonlySet<string> } {
  const relations = new Set<string>();
  const columns = new Set<string>();
  walk(query, (node) => {
    // Relations have no class, expressions have.
    if (node.class === undefined) {
      for (const field of [node.alias, node.table_name, node.schema_name]) {
        relations.add(foldName(textOf(field)));
      }
    }
    const given = [
      ...nodesOf(node.select_list).map(({ alias }) => textOf(alias)),
      ...textsOf(node.column_name_alias),
      ...ctesOf(node).flatMap(({ aliases }) => aliases),
    ];
    for (const name of given) columns.add(foldName(name));
  });
  relations.delete("");
  columns.delete("");
  return { relations, columns };
}

/** Whether an expression makes columns of what may be a struct. */
function isUnnested(
  expression: SqlNode,
  columns: ReadonlySet<string>,
): boolean {
  if (!isUnnest(expression)) return false;
  let found = false;
  walk(expression.children, (node) => {
    const named = foldName(textsOf(node.column_names).at(-1) ?? "");
    found ||= makesStruct(node) || columns.has(named);
  });
  return found;
}
