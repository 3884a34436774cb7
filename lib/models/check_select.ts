import { ctesOf, nodeOf, type SqlNode, textOf, walk } from "./sql_tree.ts";
import { foldName } from "../sql/fold_name.ts";

/**
 * The schemas with a batch's rows, the only ones that the project's SQL may
 * read.
 */
export const SCHEMAS_READ: readonly string[] = [
  "arrived",
  "changed",
  "current",
];
/** Functions in a FROM that reach nothing outside the query. */
const FUNCTIONS_READ = ["generate_series", "range", "unnest"];
/** Other relations that a FROM may have. */
const RELATIONS = [
  "BASE_TABLE",
  "EMPTY",
  "EXPRESSION_LIST",
  "JOIN",
  "PIVOT",
  "SUBQUERY",
  "TABLE_FUNCTION",
];

/** A table that a query reads: its schema, empty for a CTE, and its name. */
export interface TableReference {
  schema: string;
  name: string;
}

/**
 * Finds what a query of the folder `sql/` reads besides a batch's tables and
 * itself: a file, a URL, a setting. DuckDB's own lock allows all of both zones,
 * and on S3 a path with `..` or `?` leads out of them.
 */
export function foreignReads(query: SqlNode): string[] {
  const found: string[] = [];
  const own = new Set<string>();
  const tables: TableReference[] = [];
  walk(query, (node) => {
    ctesOf(node).forEach(({ name }) => own.add(name));
    const type = textOf(node.type);
    if (type === "BASE_TABLE") tables.push(nameOf(node));
    if (type === "TABLE_FUNCTION") {
      const name = textOf(nodeOf(node.function)?.function_name);
      if (!FUNCTIONS_READ.includes(name)) found.push(`${name}()`);
    }
    // Every select has one relation, a join two.
    const relations = [node.from_table, ...type === "JOIN" ? joined(node) : []];
    for (const relation of relations) {
      const kind = textOf(nodeOf(relation)?.type);
      if (kind !== "" && !RELATIONS.includes(kind)) {
        found.push(kind.toLowerCase().replaceAll("_", " "));
      }
    }
  });
  const foreign = tables.filter(({ schema, name }) =>
    schema === ""
      ? !own.has(foldName(name)) || !/^\w+$/.test(name)
      : !SCHEMAS_READ.includes(schema)
  ).map(({ schema, name }) => `"${schema === "" ? "" : `${schema}.`}${name}"`);
  return [...found, ...foreign];
}

/** Every place where a query names a batch's table. */
export function batchReads(query: SqlNode): TableReference[] {
  const reads: TableReference[] = [];
  walk(query, (node) => {
    if (node.type !== "BASE_TABLE") return;
    const read = nameOf(node);
    if (read.schema !== "") reads.push(read);
  });
  return reads;
}

function joined(node: SqlNode): unknown[] {
  return [node.left, node.right];
}

/** A table's name; another catalogue's gets a schema that may not be read. */
function nameOf(node: SqlNode): TableReference {
  const catalog = textOf(node.catalog_name);
  const schema = foldName(textOf(node.schema_name));
  return {
    schema: catalog === "" ? schema : `${catalog}.${schema}`,
    name: textOf(node.table_name),
  };
}
