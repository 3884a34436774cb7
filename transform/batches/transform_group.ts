import { type IngestedTable, rowsOf } from "../../lib/batches/manifest.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import { quoteName, quoteNames, quoteText } from "../../lib/sql/quote.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import { QUARANTINE } from "../../lib/project/quarantine_model.ts";
import { stateBefore } from "./batch_work.ts";
import { GroupModels } from "../models/group_models.ts";
import {
  type GroupContent,
  groupedTable,
  type GroupWork,
  ROUND,
} from "./group_work.ts";
import {
  emptyLandedTables,
  IS_GONE,
  landTable,
  ROW_BATCH,
  ROW_KEY,
} from "../tables/land_table.ts";
import {
  changedTables,
  openQuarantine,
  QUARANTINE_BEFORE,
  quarantineStateSql,
} from "../tables/quarantine.ts";

/**
 * Makes what the batches of a group would make one by one, and writes a file
 * for each model; nothing is committed here. Returns instead the number of the
 * first batch that must be made by itself, if any: one with a row that enters
 * or leaves quarantine. Throws if a file is damaged, a rule is broken, or a
 * query fails.
 */
export async function transformGroup(
  work: GroupWork,
): Promise<GroupContent | { stopsAt: number }> {
  const { duckdb, sql, inputs } = work;
  const tables = sql.tables.filter(({ name }) =>
    inputs.some((input) => changedTables(input).has(name))
  );
  const stopsAt = await landTables(work, tables);
  if (stopsAt !== undefined) return { stopsAt };
  const rounds = new Map<string, number>();
  for (const table of tables) {
    rounds.set(table.name, await numberRounds(work, table));
  }
  // Models see all of a table's rows together, until `GroupModels` selects
  // some.
  const unchanged = sql.tables.filter((table) => !rounds.has(table.name));
  await duckdb.run(unchanged.flatMap(emptyLandedTables).join(";\n"));
  return await new GroupModels(work, { tables, rounds }).make();
}

/**
 * Reads the files of all batches, and looks for rows that affect quarantine.
 */
async function landTables(
  work: GroupWork,
  tables: readonly ContractTable[],
): Promise<number | undefined> {
  const { duckdb, sql, ingestion, processed, progress } = work;
  await openQuarantine(
    duckdb,
    quarantineStateSql(await stateBefore(work, QUARANTINE.name), processed),
  );
  const stops: string[] = [];
  for (const table of tables) {
    const ingested = filesOfAll(work, table.name);
    await checkFiles(ingestion, [...ingested.rows, ...ingested.deletes]);
    await landTable(duckdb, {
      table,
      ingested,
      zone: ingestion,
      quarantineSql: sql.quarantine.get(table.name),
      isGroup: true,
    });
    const name = quoteName(table.name);
    stops.push(
      ...["arrived", "gone"].map((schema) =>
        `select ${ROW_BATCH} as batch from ${schema}.${name}
        where ${ROW_KEY} in (
          select row_key from quarantined.${name} union all
          select row_key from ${QUARANTINE_BEFORE}
          where table_name = ${quoteText(table.name)})`
      ),
    );
    progress.add({ rows: rowsOf(ingested) });
  }
  if (stops.length === 0) return undefined;
  const [found] = await duckdb.rows(
    `select min(batch) as batch from (${stops.join(" union all ")})`,
  );
  return found?.batch == null ? undefined : Number(found.batch);
}

/** A table's files from all batches; they have the same columns. */
function filesOfAll({ inputs }: GroupWork, table: string): IngestedTable {
  const all = inputs.flatMap((input) => changedTables(input).get(table) ?? []);
  const [first] = all;
  if (first === undefined) throw new Error(`No batch has "${table}"`);
  return {
    ...first,
    rows: all.flatMap(({ rows }) => rows),
    deletes: all.flatMap(({ deletes }) => deletes),
  };
}

/**
 * Puts rows and deletes in one table, and numbers those of a key in the order
 * of their batches. Returns the highest number: a model that runs once for each
 * number never sees a key twice.
 */
async function numberRounds(
  { duckdb, inputs }: GroupWork,
  table: ContractTable,
): Promise<number> {
  const name = quoteName(table.name);
  const key = quoteNames(table.key);
  const columns = quoteNames(table.columns.map((column) => column.name));
  const readable = table.key.map((column) => `${quoteName(column)} is not null`)
    .join(" and ");
  await duckdb.run(
    `create or replace table ${groupedTable(table.name)} as
    select *, row_number() over (partition by ${key} order by ${ROW_BATCH})
      as ${ROUND}
    from (
      select ${columns}, ${ROW_BATCH}, false as ${IS_GONE} from arrived.${name}
      union all by name
      select ${key}, ${ROW_BATCH}, true as ${IS_GONE} from gone.${name}
      where ${readable}
    ) order by ${ROUND}`,
  );
  const found = await duckdb.rows(
    `select ${ROW_BATCH} as batch, count(*) as rows,
      count(distinct (${key})) as keys, max(${ROUND}) as rounds
    from ${groupedTable(table.name)} group by ${ROW_BATCH}`,
  );
  const counts = new Map(found.map((row) => [Number(row.batch), row]));
  for (const { batch, tables } of inputs) {
    const ingested = tables[table.name];
    const listed = ingested === undefined ? 0 : rowsOf(ingested);
    const { rows = "0", keys = "0" } = counts.get(batch) ?? {};
    if (Number(rows) === listed && rows === keys) continue;
    throw new Error(
      `"${table.name}" in batch ${batch} has ${rows} rows of ${keys} keys, its manifest says ${listed}`,
    );
  }
  return Math.max(0, ...found.map((row) => Number(row.rounds)));
}
