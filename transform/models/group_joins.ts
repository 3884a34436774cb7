import { emptyTableSql } from "../../lib/models/empty_relation.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import { type BatchContent, columnsOf } from "../batches/batch_work.ts";
import { groupedTable, type GroupWork } from "../batches/group_work.ts";
import { brokenRule } from "../checks/broken_rule.ts";
import { IS_GONE, ROW_BATCH } from "../tables/land_table.ts";
import { keepTable, tableBefore, tableFiles } from "../tables/table_state.ts";
import { insertVersions } from "./made_versions.ts";
import { differenceSql, missingKeysSql } from "./model_changes.ts";
import { sum } from "../../lib/batches/sum.ts";

/**
 * Goes batch by batch through those that changed a table which a join reads.
 */
export async function groupJoins(
  work: GroupWork,
  options: {
    models: readonly ModelSql[];
    /** Whether the group has rows or deletes of a table. */
    isRead: (table: string) => boolean;
    content: BatchContent;
  },
): Promise<void> {
  const { duckdb, sql, inputs } = work;
  const { models, isRead, content } = options;
  const needed = new Set(models.flatMap(({ reads }) => reads));
  const tables = sql.tables.filter(({ name }) => needed.has(name));
  for (const table of tables) await openCurrent(work, table);
  for (const model of models) {
    await duckdb.run(
      `create or replace table result_before.${
        quoteName(model.name)
      } as ${model.sql}`,
    );
  }
  for (const { batch } of inputs) {
    const moved = new Set<string>();
    for (const table of tables) {
      if (await moveCurrent(work, { table, batch })) moved.add(table.name);
    }
    for (const model of models) {
      if (!model.reads.some((table) => moved.has(table))) continue;
      await joinAgain(work, { model, batch });
    }
  }
  for (const table of tables) {
    if (!isRead(table.name)) continue;
    await keepTable(work, {
      table,
      content,
      whole: `from ${groupedCurrent(table)}`,
    });
    work.written.push(
      ...tableFiles(content.state, table.name).map(({ key }) => key),
    );
  }
}

async function openCurrent(
  work: GroupWork,
  table: ContractTable,
): Promise<void> {
  const { duckdb } = work;
  const name = quoteName(table.name);
  const before = await tableBefore(work, table);
  if (before === undefined) checkEmpty(work, table.name);
  await duckdb.run(
    `create or replace table ${groupedCurrent(table)} as ${
      before ?? emptyTableSql(table)
    };
    create or replace view current.${name} as from ${groupedCurrent(table)}`,
  );
}

/** Checks that a table that is not kept had no rows before the group. */
function checkEmpty({ inputs }: GroupWork, name: string): void {
  const first = inputs[0]?.tables[name];
  const missing = (first?.sourceRows ?? 0) -
    sum(first?.rows ?? [], "rows");
  if (missing > 0) throw new Error(`"${name}" was not kept before`);
}

/** Brings a table to the end of a batch; returns whether it changed. */
async function moveCurrent(
  { duckdb, inputs }: GroupWork,
  { table, batch }: { table: ContractTable; batch: number },
): Promise<boolean> {
  const ingested = inputs.find((one) => one.batch === batch)
    ?.tables[table.name];
  const files = [...ingested?.rows ?? [], ...ingested?.deletes ?? []];
  if (files.length === 0) return false;
  const key = quoteNames(table.key);
  const columns = quoteNames(table.columns.map(({ name }) => name));
  const target = groupedCurrent(table);
  const rows = `${groupedTable(table.name)} where ${ROW_BATCH} = ${batch}`;
  await duckdb.run(
    `delete from ${target} where (${key}) in (select (${key}) from ${rows});
    insert into ${target} by name
      select ${columns} from ${rows} and not ${IS_GONE}`,
  );
  return true;
}

async function joinAgain(
  work: GroupWork,
  { model, batch }: { model: ModelSql; batch: number },
): Promise<void> {
  const { duckdb } = work;
  const columns = columnsOf(work, model.name);
  const [before, after] = ["result_before", "result_after"]
    .map((schema) => `${schema}.${quoteName(model.name)}`);
  await duckdb.run(`create or replace table ${after} as ${model.sql}`);
  const error = await brokenRule(duckdb, {
    model,
    columns,
    rows: `${after}`,
    areVersions: false,
    batch,
  });
  if (error !== undefined) throw error;
  await insertVersions(work, {
    model,
    versions: `select *, ${batch} as batch, false as is_delete from (${
      differenceSql(columns, {
        of: `from ${after}`,
        without: `from ${before}`,
      })
    })`,
  });
  await insertVersions(work, {
    model,
    versions: `select *, ${batch} as batch, true as is_delete from (${
      missingKeysSql(model.key, {
        of: `from ${before}`,
        without: `from ${after}`,
      })
    })`,
  });
  await duckdb.run(`create or replace table ${before} as from ${after}`);
}

/** A joined table as of the batch that is being made. */
function groupedCurrent({ name }: ContractTable): string {
  return `grouped_current.${quoteName(name)}`;
}
