import type { ModelColumn } from "../lib/models/model_column.ts";
import { counted } from "../lib/counted.ts";
import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { readDashboard } from "../lib/project/dashboard.ts";
import { MAINTAINED } from "../lib/project/model.ts";
import type { ModelSql, ProjectSql } from "../lib/project/project_sql.ts";
import { readDeclaredTables } from "../lib/project/warehouse_ddl.ts";
import { warehouseType } from "../lib/project/warehouse_type.ts";
import type { StageContext } from "../lib/stage.ts";
import { registerModels } from "../lib/models/register_models.ts";
import {
  type UnreadColumns,
  unreadColumns,
} from "../lib/models/unread_columns.ts";

const USAGE = `./totesys check [--json]

Checks the company's folder of SQL (SQL_DIRECTORY) as every run does, without a
database: that contract, models, quarantine, checks and dashboard fit each
other, and that lake and warehouse can hold what the models give. Prints each
model with its columns, with their types in DuckDB and in the warehouse, and
what its table gets there; the names of tables that have the same one in several
schemas; the contract's columns that are carried as the exact text of another
type, and those that no model reads. That a key of the source is unique and
never null is seen in the source, by doctor and by every run.

  --json  one JSON object, also on a terminal`;

/** A model by its SQL. */
export interface CheckedModel {
  name: string;
  kind: ModelSql["kind"];
  derivation: ModelSql["derivation"];
  key: readonly string[];
  reads: readonly string[];
  /** Whether its table is derived from it: no migration declares one. */
  isDerived: boolean;
  /** A fact's column that numbers its versions. */
  recordId?: string;
  columns: readonly CheckedColumn[];
}

interface CheckedColumn {
  name: string;
  type: string;
  /** The type in the warehouse. */
  warehouse: string;
  notNull: boolean;
  /** The dimension that it refers to. */
  refersTo?: string;
  meaning?: string;
}

/** A table whose name in models is not the source's. */
interface NamedTable {
  table: string;
  schema: string;
  name: string;
}

/** A column of the contract that is the text of another type's values. */
interface CarriedColumn {
  table: string;
  column: string;
  from: string;
}

/** Throws a `StageError` that names the first file that can't be used. */
async function checkProject(
  { resources, config, sql }: Pick<
    StageContext,
    "resources" | "config" | "sql"
  >,
): Promise<{ models: CheckedModel[]; unread: UnreadColumns[] }> {
  const local = { ...config, s3: undefined };
  await using duckdb = await resources.openDuckDb(local, { zones: [] });
  const columns = await registerModels(duckdb, sql);
  const declared = readDeclaredTables(sql.migrations);
  const models = sql.models.map((model) => ({
    name: model.name,
    kind: model.kind,
    derivation: model.derivation,
    key: model.key,
    reads: model.reads,
    isDerived: !declared.has(model.name),
    ...model.recordId === undefined ? {} : { recordId: model.recordId },
    columns: (columns.get(model.name) ?? [])
      .map((column) => checkedColumn(model, column)),
  }));
  return { models, unread: await unreadColumns(duckdb, sql) };
}

function checkedColumn(
  model: ModelSql,
  column: ModelColumn,
): CheckedColumn {
  const { name, type, declared } = column;
  const refersTo = model.table.references.get(name);
  const meaning = model.table.meanings.get(name);
  const isTime = model.times.includes(name);
  return {
    name,
    type,
    warehouse: declared ?? warehouseType(type, { isTime }) ?? "-",
    notNull: column.notNull ?? model.key.includes(name),
    ...refersTo === undefined ? {} : { refersTo },
    ...meaning === undefined ? {} : { meaning },
  };
}

/** Runs `./totesys check`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "check",
      usage: USAGE,
      needs: [],
      options: {},
      run: async (context, { write, json }) => {
        const { models, unread } = await checkProject(context);
        readDashboard(context.sql);
        write(
          json
            ? `${
              JSON.stringify({
                models,
                named: namedOf(context.sql),
                carried: carriedOf(context.sql),
                unread,
              })
            }\n`
            : formatModels(models, { sql: context.sql, unread }),
        );
      },
    },
    args,
    io,
  );
}

function namedOf({ tables }: ProjectSql): NamedTable[] {
  return tables.flatMap(({ name: table, schema = "", sourceName: name }) =>
    name === undefined ? [] : [{ table, schema, name }]
  );
}

function carriedOf({ tables }: ProjectSql): CarriedColumn[] {
  return tables.flatMap(({ name: table, columns }) =>
    columns.flatMap(({ name: column, carriedFrom: from }) =>
      from === undefined ? [] : [{ table, column, from }]
    )
  );
}

function formatModels(
  models: readonly CheckedModel[],
  { sql, unread }: { sql: ProjectSql; unread: readonly UnreadColumns[] },
): string {
  const lines = models.flatMap((model) => {
    const width = Math.max(...model.columns.map(({ name }) => name.length));
    const typeWidth = Math.max(...model.columns.map(({ type }) => type.length));
    return [
      `${model.name}: ${model.kind}, ${MAINTAINED[model.derivation]} of ${
        model.reads.join(", ")
      }`,
      `  ${
        model.isDerived
          ? "its table is derived from it"
          : "sql/warehouse declares its table"
      }${
        model.recordId === undefined
          ? ""
          : `; ${model.recordId} numbers its versions`
      }`,
      ...model.columns.map((column) =>
        `  ${column.name.padEnd(width)}  ${column.type.padEnd(typeWidth)}  ${
          [column.warehouse, ...marksOf(column, model.key)].join("  ")
        }`
      ),
      "",
    ];
  });
  return [
    ...lines,
    ...formatPairs(
      "tables of one name in several schemas, as models read them:",
      namedOf(sql).map((one) => [`${one.schema}.${one.name}`, one.table]),
    ),
    ...formatPairs(
      "carried as their exact text, which models may cast:",
      carriedOf(sql).map(({ table, column, from }) => [
        `${table}.${column}`,
        from,
      ]),
    ),
    ...formatPairs(
      "read by no model, so source.sql can do without them:",
      unread.map(({ table, columns }) => [table, columns.join(", ")]),
    ),
    `${counted(sql.tables.length, "tables")}, ${
      counted(models.length, "models")
    }, ${counted(sql.quarantine.size, "quarantine rules")}, ${
      counted(sql.checks.length, "checks")
    }: all can be used`,
    "",
  ].join("\n");
}

function formatPairs(
  title: string,
  pairs: readonly (readonly [string, string])[],
): string[] {
  if (pairs.length === 0) return [];
  const width = Math.max(...pairs.map(([first]) => first.length));
  return [
    title,
    ...pairs.map(([first, second]) => `  ${first.padEnd(width)}  ${second}`),
    "",
  ];
}

/** The marks of a column beside its types. */
function marksOf(column: CheckedColumn, key: readonly string[]): string[] {
  const { name, notNull, refersTo, meaning } = column;
  return [
    ...key.includes(name) ? ["key"] : notNull ? ["not null"] : [],
    ...refersTo === undefined ? [] : [`-> ${refersTo}`],
    ...meaning === undefined ? [] : [meaning],
  ];
}

if (import.meta.main) Deno.exit(await main(Deno.args));
