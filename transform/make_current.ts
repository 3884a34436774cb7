import type { IngestedTable } from "../lib/batches/manifest.ts";
import { readColumnsSql } from "../lib/duckdb/data_files.ts";
import { StageError } from "../lib/errors.ts";
import { quoteName, quoteNames, quoteText } from "../lib/postgres/postgres.ts";
import { typeSql } from "../lib/project/contract.ts";
import {
  type BatchContent,
  type BatchWork,
  isAffected,
  keepState,
  stateBefore,
} from "./batch_work.ts";
import { emptyTableSql } from "./land_table.ts";
import { QUARANTINE_AFTER } from "./quarantine.ts";

/** Updates the tables that joined models read to the end of this batch. */
export async function makeCurrent(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
  },
): Promise<void> {
  const { duckdb, sql } = work;
  const { changed, content } = options;
  const joins = sql.models.filter((model) => model.derivation === "join");
  const affected = joins.filter((model) =>
    isAffected(work, { changed, model })
  );
  const needed = new Set(affected.flatMap((model) => model.reads));
  for (const table of sql.tables.filter((one) => needed.has(one.name))) {
    const name = quoteName(table.name);
    const columns = quoteNames(table.columns.map((column) => column.name));
    const key = quoteNames(table.key);
    const state = await stateBefore(work, currentState(table.name));
    if (state === undefined) await checkWhole(work, table.name);
    await duckdb.run(
      `create or replace table before.${name} as ` +
        (state === undefined ? emptyTableSql(table) : `from ${
          readColumnsSql(
            work.processed,
            [state],
            table.columns.map((column) => ({
              name: column.name,
              type: typeSql(column.type),
            })),
          )
        }`),
    );
    await duckdb.run(
      `create or replace table after.${name} as
      select ${columns} from before.${name} where (${key}) not in (
        select (${key}) from changed.${name}
        union all select (${key}) from deleted.${name}
      ) ${
        changed.get(table.name)?.fullRead === undefined
          ? ""
          : `and (${key}) in (select (${key}) from arrived.${name})`
      } union all select ${columns} from changed.${name}`,
    );
    if (!changed.has(table.name)) continue;
    await keepState(work, {
      name: currentState(table.name),
      select: `select * from after.${name} order by ${key}`,
      content,
    });
  }
}

/**
 * If a table isn't kept yet, all of its rows must be in this batch: a join that
 * now reads it would silently miss the others.
 */
async function checkWhole(work: BatchWork, name: string): Promise<void> {
  const ingested = work.input.tables[name];
  if (work.previous === undefined || ingested === undefined) return;
  if (ingested.fullRead !== undefined) return;
  const [found] = await work.duckdb.rows(
    `select (select count(*) from arrived.${quoteName(name)})
      + (select count(*) from ${QUARANTINE_AFTER}
        where table_name = ${quoteText(name)})
      - (select count(*) from quarantined.${quoteName(name)}) as rows`,
  );
  const missing = ingested.sourceRows - Number(found?.rows);
  if (missing <= 0) return;
  throw new StageError(
    `Cannot join "${name}" in batch ${work.input.batch}: it was not kept before, and ${missing} of its ${ingested.sourceRows} rows came in earlier batches`,
    {
      subject: name,
      hint:
        `A model now reads it: rebuild the lake with \`deno task rebuild processed\`. After the next such change, run extract --full=${name} before transform`,
    },
  );
}

/** The name under which a manifest keeps a table that joined models read. */
export function currentState(table: string): string {
  return `current.${table}`;
}
