import { emptyTableSql } from "./empty_relation.ts";
import { closedTable } from "../warehouse/model_tables.ts";
import type { ModelColumn } from "./model_column.ts";
import { describeColumns } from "../duckdb/data_files.ts";
import type { DuckDb } from "../duckdb/duckdb.ts";
import { messageOf, StageError } from "../errors.ts";
import { quoteName } from "../sql/quote.ts";
import {
  type DeclaredEnums,
  labelsOf,
  readDeclaredEnums,
} from "../project/declared_enums.ts";
import { headerProblems } from "../project/derived_table.ts";
import type { ModelSql, ProjectSql } from "../project/project_sql.ts";
import {
  type DeclaredTables,
  readDeclaredTables,
} from "../project/warehouse_ddl.ts";
import { type FunctionKinds, readFunctionKinds } from "./volatile_functions.ts";
import {
  columnNameProblems,
  keyWidthProblems,
  modelNameProblems,
} from "./check_names.ts";
import { checkModelQuery, checkQuarantineQuery } from "./check_query.ts";
import { foreignReads, SCHEMAS_READ } from "./check_select.ts";
import { floatSums } from "./check_sums.ts";
import { parseSelect, type SqlNode } from "./sql_tree.ts";
import { typeProblems } from "./type_problems.ts";
import { quarantineName } from "../project/quarantine_file.ts";
import { foldName } from "../sql/fold_name.ts";

/**
 * The schemas in which a run keeps its tables; each has one for a table of the
 * contract or for a model, by its name:
 * - `arrived`: the batch's rows, typed; `quarantined`: keys and reasons of those
 *   that are set aside; `changed`: the others;
 * - `gone` and `deleted`: the deleted keys, as text and typed;
 * - `before` and `after`: a joined table before and after the batch; `current`:
 *   the one of the two that a join reads now;
 * - `moved`: rows that the batch changed, old and new; `either`: the rows of
 *   both times; `affected`: the rows of a model that a change can reach;
 * - `known_before` and `known_after`: of the quarantine and append-only models,
 *   what is published, and what follows;
 * - `result_before` and `result_after`: a model's rows; `held`: those that break
 *   a rule;
 * - `grouped`: a table's rows from all batches of a group; `grouped_current`: a
 *   joined table at the batch that is made; `made`: a model's versions.
 */
const SCHEMAS = [
  "arrived",
  "quarantined",
  "changed",
  "gone",
  "deleted",
  "current",
  "before",
  "after",
  "moved",
  "either",
  "affected",
  "known_before",
  "known_after",
  "result_before",
  "result_after",
  "held",
  "grouped",
  "grouped_current",
  "made",
];

interface Preparing {
  duckdb: DuckDb;
  sql: ProjectSql;
  kinds: FunctionKinds;
  declared: DeclaredTables;
  enums: DeclaredEnums;
}

type Columns = ReadonlyMap<string, readonly ModelColumn[]>;

/** SQL already checked in this process, with its models' columns. */
const checked = new WeakMap<ProjectSql, Columns>();

/**
 * Creates the schemas and returns each model's columns. Throws a `StageError`
 * that names the project's first query that reads what it may not, does not
 * mean the same in every batch, or gives what the lake or the warehouse can't
 * hold. A long-running process checks its SQL once.
 */
export async function registerModels(
  duckdb: DuckDb,
  sql: ProjectSql,
): Promise<Columns> {
  await duckdb.run(
    [
      ...SCHEMAS.map((schema) => `create schema ${schema}`),
      ...["changed", "current"].flatMap((schema) => emptyViews(sql, schema)),
    ].join(";\n"),
  );
  const known = checked.get(sql) ?? await checkAll(duckdb, sql);
  checked.set(sql, known);
  return known;
}

async function checkAll(duckdb: DuckDb, sql: ProjectSql): Promise<Columns> {
  await duckdb.run(emptyViews(sql, "arrived").join(";\n"));
  const work: Preparing = {
    duckdb,
    sql,
    kinds: await readFunctionKinds(duckdb),
    declared: readDeclaredTables(sql.migrations),
    enums: readDeclaredEnums(sql.migrations),
  };
  for (const { model, problem } of modelNameProblems(sql.models)) {
    refuse(`models/${model}`, [problem], "Give the model another name");
  }
  for (const name of sql.quarantine.keys()) {
    await checkQuarantineRule(work, name);
  }
  const columns = new Map<string, readonly ModelColumn[]>();
  for (const model of sql.models) {
    columns.set(model.name, await checkModel(work, model));
  }
  checkHeaders(sql.models, columns);
  for (const table of sql.tables) {
    await duckdb.run(`drop view arrived.${quoteName(table.name)}`);
  }
  return columns;
}

function checkHeaders(models: readonly ModelSql[], given: Columns): void {
  const others = new Map(
    models.map((model) => [
      model.name,
      { model, columns: given.get(model.name) ?? [] },
    ]),
  );
  for (const { model, columns } of others.values()) {
    refuse(
      `models/${model.name}`,
      headerProblems(model, { columns, others }),
      "Let the header name columns as the query gives them, and cast what refers to a dimension to the type of its key",
    );
  }
}

/** Statements that create each table of the contract, without rows. */
function emptyViews({ tables }: ProjectSql, schema: string): string[] {
  return tables.map((table) =>
    `create view ${schema}.${quoteName(table.name)} as ${emptyTableSql(table)}`
  );
}

async function checkModel(
  work: Preparing,
  model: ModelSql,
): Promise<ModelColumn[]> {
  const { sql, kinds, declared, enums } = work;
  const name = `models/${model.name}`;
  const query = await parseOwn(work, { name, sql: model.sql });
  const { problems, sources } = checkModelQuery(query, {
    model,
    tables: sql.tables,
    kinds,
  });
  refuse(
    name,
    problems,
    'See "Transform" in docs/design.md: of changed.<table>, a row is made from one row of the source; a query over several rows reads current.<table>; and each is the same whenever it is made',
  );
  const columns = await columnsOf(work, { name, sql: model.sql });
  if (model.derivation === "join") await refuseFloatSums(work, model);
  refuse(
    name,
    keyWidthProblems(model),
    "Make it a join (`from current.table`) under a key of fewer columns, or leave the table out",
  );
  refuse(
    name,
    columnNameProblems({
      ...model,
      // A time that is declared but not given is a column of someone's own.
      times: model.times.filter((time) => !declared.get(model.name)?.has(time)),
    }, columns),
    "Let the header name columns as the query gives them; give none twice, and none the name of one of the pipeline's, as in `batch as lot_batch`; and let sql/warehouse follow if it declares the table",
  );
  refuse(
    name,
    typeProblems(model, { columns, declared }),
    "Cast an interval to seconds, and a type without a counterpart to text; a column that sql/warehouse declares needs its name and type there, or a migration that changes them",
  );
  const tables = [model.name, closedTable(model.name)]
    .map((table) => declared.get(table));
  return columns.map((column): ModelColumn => {
    const source = sources.get(foldName(column.name));
    const type = declared.get(model.name)?.get(column.name)?.type;
    const labels = type === undefined ? undefined : labelsOf(enums, type);
    const notNull = model.table.notNull.includes(column.name) ||
      tables.some((table) => table?.get(column.name)?.notNull);
    return {
      ...column,
      ...source === undefined ? {} : { source },
      ...notNull ? { notNull } : {},
      ...type === undefined ? {} : { declared: type },
      ...labels === undefined ? {} : { labels },
    };
  });
}

/** Rows of a join come in any order, and sums of floats depend on it. */
async function refuseFloatSums(
  work: Preparing,
  model: ModelSql,
): Promise<void> {
  const sums = await floatSums(work.duckdb, model.sql);
  refuse(
    `models/${model.name}`,
    sums.map((sum) =>
      `it has ${sum} of floats, whose last digits depend on the order of the rows`
    ),
    "Add up decimals, as in `sum(cast(x as decimal(18, 6)))`, or leave such a figure to whoever reads the warehouse",
  );
}

async function checkQuarantineRule(
  work: Preparing,
  table: string,
): Promise<void> {
  const { sql, kinds } = work;
  const name = `quarantine/${quarantineName(table)}`;
  const text = sql.quarantine.get(table) ?? "";
  const query = await parseOwn(work, { name, sql: text });
  const contract = sql.tables.find((one) => one.name === table);
  if (contract === undefined) return;
  refuse(
    name,
    checkQuarantineQuery(query, { table: contract, kinds }),
    "It sees the rows of one batch, and must judge a row the same whichever others come with it, and whenever",
  );
  const given = (await columnsOf(work, { name, sql: text }))
    .map((column) => column.name);
  const wanted = [...contract.key, "reason"];
  refuse(
    name,
    wanted.filter((column) =>
      given.filter((one) => one === column).length !== 1
    ).map((column) => `it does not give the column "${column}" once`),
    `It gives the key of the table (${contract.key.join(", ")}) and a reason`,
  );
}

/** Parses a query, which may read only the batch and itself. */
async function parseOwn(
  { duckdb }: Preparing,
  { name, sql }: { name: string; sql: string },
): Promise<SqlNode> {
  const parsed = await parseSelect(duckdb, sql);
  const query = "query" in parsed ? parsed.query : {};
  refuse(
    name,
    "problem" in parsed
      ? [parsed.problem]
      : foreignReads(query).map((read) => `it reads ${read}`),
    `A query there is one select from ${
      SCHEMAS_READ.map((schema) => `${schema}.<table>`).join(", ")
    } and its own CTEs`,
  );
  return query;
}

async function columnsOf(
  { duckdb }: Preparing,
  { name, sql }: { name: string; sql: string },
): Promise<ModelColumn[]> {
  try {
    return await describeColumns(duckdb, sql);
  } catch (error) {
    refuse(name, [messageOf(error)], "Correct the query, and try it in DuckDB");
    throw error;
  }
}

function refuse(
  name: string,
  problems: readonly string[],
  hint: string,
): void {
  if (problems.length === 0) return;
  throw new StageError(
    `Cannot use sql/${name}.sql: ${problems.join(", ")}`,
    { subject: name, hint },
  );
}
