import type { DuckDb } from "../lib/duckdb.ts";
import { StageError } from "../lib/errors.ts";
import { quoteText } from "../lib/postgres.ts";

/** The schemas of what a batch brings, which is all that the project's SQL reads. */
const SCHEMAS_READ = ["arrived", "changed", "current"];
/** Functions in a FROM that reach nothing outside. */
const FUNCTIONS_READ = ["generate_series", "range", "unnest"];

/** DuckDB's own account of a query, as far as it is looked into. */
interface Parsed {
  error: boolean;
  error_message?: string;
  statements?: unknown[];
}

/**
 * Checks that a query of the folder `sql/` is one select that reads the tables
 * of a batch, itself and nothing else: no file, no address, no setting. What
 * DuckDB is locked to is all of both zones, and on S3 a path with `..` or `?`
 * leads out of them. Throws a `StageError` that names what it reads.
 */
export async function checkSelect(
  duckdb: DuckDb,
  query: { name: string; sql: string },
): Promise<void> {
  const [row] = await duckdb.rows(
    `select json_serialize_sql(${quoteText(query.sql)}) as parsed`,
  );
  const parsed: Parsed = JSON.parse(row?.parsed ?? "");
  const found = parsed.error
    ? [`it is no select: ${parsed.error_message}`]
    : parsed.statements?.length !== 1
    ? ["it is more than one statement"]
    : foreignReads(parsed.statements).map((name) => `it reads ${name}`);
  if (found.length === 0) return;
  throw new StageError(
    `Cannot use sql/${query.name}.sql: ${found.join(", ")}`,
    {
      subject: query.name,
      hint: `A query there is one select from ${
        SCHEMAS_READ.map((schema) => `${schema}.<table>`).join(", ")
      } and its own CTEs`,
    },
  );
}

function foreignReads(statements: unknown): string[] {
  const reads: { schema: string; name: string; isFunction: boolean }[] = [];
  const own = new Set<string>();
  const visit = (node: unknown) => {
    if (typeof node !== "object" || node === null) return;
    if ("cte_map" in node) cteNames(node.cte_map).forEach(own.add, own);
    if ("type" in node && node.type === "BASE_TABLE") {
      reads.push({ ...nameOf(node), isFunction: false });
    }
    if (
      "type" in node && node.type === "TABLE_FUNCTION" && "function" in node
    ) {
      const { function_name: name } = node.function as Record<string, string>;
      reads.push({ schema: "", name: name ?? "", isFunction: true });
    }
    Object.values(node).forEach(visit);
  };
  visit(statements);
  return reads.filter(({ schema, name, isFunction }) =>
    isFunction
      ? !FUNCTIONS_READ.includes(name)
      : schema === ""
      ? !own.has(name.toLowerCase()) || !/^\w+$/.test(name)
      : !SCHEMAS_READ.includes(schema)
  ).map(({ schema, name, isFunction }) =>
    isFunction ? `${name}()` : `"${schema === "" ? "" : `${schema}.`}${name}"`
  );
}

/** A table's name; one of another catalogue is of no schema that is read. */
function nameOf(node: object): { schema: string; name: string } {
  const { catalog_name: catalog, schema_name: schema = "", table_name = "" } =
    node as Record<string, string>;
  return {
    schema: catalog ? `${catalog}.${schema}` : schema,
    name: table_name,
  };
}

function cteNames(cteMap: unknown): string[] {
  const { map } = cteMap as { map: { key: string }[] };
  return map.map(({ key }) => key.toLowerCase());
}
