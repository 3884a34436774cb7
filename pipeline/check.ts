import { runCommand, type World } from "../lib/command.ts";
import { MAINTAINED } from "../lib/model.ts";
import type { ModelSql, ProjectSql } from "../lib/project_sql.ts";
import type { StageContext } from "../lib/stage.ts";
import { warehouseType } from "../load/column_types.ts";
import { prepare } from "../transform/prepare.ts";

const USAGE = `deno task check [--json]

Checks the company's folder of SQL (SQL_DIRECTORY) as every run does, without a
database: that contract, models, quarantine and checks fit each other, and that
lake and warehouse can take what the models give. Prints each model with its
columns, as DuckDB and as the warehouse has them.

  --json  one JSON object, also on a terminal`;

/** What the SQL says of a model. */
export interface CheckedModel {
  name: string;
  kind: ModelSql["kind"];
  derivation: ModelSql["derivation"];
  key: readonly string[];
  reads: readonly string[];
  columns: readonly { name: string; type: string; warehouse: string }[];
}

/** Throws a `StageError` that names the first file that can't be used. */
export async function checkProject(
  { resources, config, sql }: Pick<
    StageContext,
    "resources" | "config" | "sql"
  >,
): Promise<CheckedModel[]> {
  const local = { ...config, s3: undefined };
  await using duckdb = await resources.openDuckDb(local, { zones: [] });
  const columns = await prepare(duckdb, sql);
  return sql.models.map((model) => ({
    name: model.name,
    kind: model.kind,
    derivation: model.derivation,
    key: model.key,
    reads: model.reads,
    columns: (columns.get(model.name) ?? []).map((column) => ({
      name: column.name,
      type: column.type,
      warehouse: column.declared ??
        warehouseType(column.type, {
          isTime: model.times.includes(column.name),
        }) ?? "-",
    })),
  }));
}

/** Runs `deno task check`; gives the exit code. */
export function main(args: readonly string[], world?: World): Promise<number> {
  return runCommand(
    {
      name: "check",
      usage: USAGE,
      needs: [],
      options: {},
      run: async (context, { write, json }) => {
        const models = await checkProject(context);
        write(
          json
            ? `${JSON.stringify({ models })}\n`
            : formatModels(models, context.sql),
        );
      },
    },
    args,
    world,
  );
}

function formatModels(
  models: readonly CheckedModel[],
  sql: ProjectSql,
): string {
  const lines = models.flatMap((model) => {
    const width = Math.max(...model.columns.map(({ name }) => name.length));
    const typeWidth = Math.max(...model.columns.map(({ type }) => type.length));
    return [
      `${model.name}: ${model.kind}, ${MAINTAINED[model.derivation]} of ${
        model.reads.join(", ")
      }`,
      ...model.columns.map(({ name, type, warehouse }) =>
        `  ${name.padEnd(width)}  ${type.padEnd(typeWidth)}  ${warehouse}${
          model.key.includes(name) ? "  key" : ""
        }`
      ),
      "",
    ];
  });
  return [
    ...lines,
    `${sql.tables.length} tables, ${models.length} models, ${sql.quarantine.size} quarantine rules, ${sql.checks.length} checks: all can be used`,
    "",
  ].join("\n");
}

if (import.meta.main) Deno.exit(await main(Deno.args));
