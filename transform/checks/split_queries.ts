import type { SqlParts } from "../../lib/batches/manifest.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import {
  type ContractColumn,
  type ContractTable,
  typeSql,
} from "../../lib/project/contract.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { withoutComments } from "../../lib/project/tables_read.ts";
import { shortChecksum } from "../../lib/zone/checksum.ts";
import { readFunctionKinds } from "../../lib/models/volatile_functions.ts";
import { queryParts, type SplitQuery, splitQuery } from "./split_query.ts";
import { parseSelect, type SqlNode } from "../../lib/models/sql_tree.ts";

/** A folder's SQL with its parsed queries, and the parts that they are of. */
export interface SplitQueries {
  parts: SqlParts;
  models: ReadonlyMap<string, SplitQuery>;
  quarantine: ReadonlyMap<string, SqlNode>;
}

/** What this process has parsed. */
const split = new WeakMap<ProjectSql, SplitQueries>();

/** Parses the queries of SQL that is already checked, once in a process. */
export async function splitQueries(
  duckdb: DuckDb,
  sql: ProjectSql,
): Promise<SplitQueries> {
  const known = split.get(sql) ?? await splitAll(duckdb, sql);
  split.set(sql, known);
  return known;
}

async function splitAll(
  duckdb: DuckDb,
  sql: ProjectSql,
): Promise<SplitQueries> {
  const kinds = await readFunctionKinds(duckdb);
  const parse = async (text: string) => {
    const parsed = await parseSelect(duckdb, text);
    return "query" in parsed ? parsed.query : {};
  };
  const models = new Map<string, SplitQuery>();
  for (const { name, sql: text } of sql.models) {
    models.set(name, splitQuery(await parse(text), kinds));
  }
  const quarantine = new Map<string, SqlNode>();
  for (const [name, text] of sql.quarantine) {
    quarantine.set(name, await parse(text));
  }
  return { parts: partsOf(sql, models), models, quarantine };
}

function partsOf(
  sql: ProjectSql,
  models: ReadonlyMap<string, SplitQuery>,
): SqlParts {
  return {
    contract: Object.fromEntries(sql.tables.map((table) => [table.name, {
      key: keyOf(table),
      columns: Object.fromEntries(
        table.columns.map((column) => [column.name, declarationOf(column)]),
      ),
    }])),
    quarantine: Object.fromEntries(
      [...sql.quarantine].map(([name, text]) => [
        name,
        shortChecksum(new TextEncoder().encode(withoutComments(text))),
      ]),
    ),
    queries: Object.fromEntries(sql.models.flatMap((model) => {
      const query = models.get(model.name);
      return query === undefined
        ? []
        : [[model.name, queryParts(query, model)]];
    })),
  };
}

function keyOf({ schema, key }: ContractTable): string {
  const names = key.join(", ");
  return schema === undefined ? names : `${names} in the schema ${schema}`;
}

function declarationOf(
  { type, notNull, carriedFrom }: ContractColumn,
): string {
  return [
    typeSql(type),
    ...carriedFrom === undefined ? [] : [`carried from ${carriedFrom}`],
    ...notNull ? ["not null"] : [],
  ].join(" ");
}
