import type { IngestedTable } from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import {
  quoteName,
  quoteNames,
  quoteText,
} from "../../lib/postgres/postgres.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import {
  type BatchContent,
  type BatchWork,
  isAffected,
} from "../batches/batch_work.ts";
import { earlierFault, isQueryFault } from "../checks/query_fault.ts";
import { emptyTableSql } from "./land_table.ts";
import { QUARANTINE_AFTER } from "./quarantine.ts";
import { keepTable, tableBefore } from "./table_state.ts";

/** Updates the tables that joined models read to the end of this batch. */
export async function makeCurrent(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
  },
): Promise<void> {
  const { sql } = work;
  const { changed } = options;
  const joins = sql.models.filter((model) => model.derivation === "join");
  const affected = joins.filter((model) =>
    isAffected(work, { changed, model })
  );
  const needed = new Set(affected.flatMap((model) => model.reads));
  for (const table of sql.tables.filter((one) => needed.has(one.name))) {
    try {
      await makeCurrentTable(work, { ...options, table });
    } catch (error) {
      // What arrived has been read already.
      if (!isQueryFault(error)) throw error;
      const { batch } = work.input;
      throw earlierFault(error, { name: table.name, batch });
    }
  }
}

async function makeCurrentTable(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
    table: ContractTable;
  },
): Promise<void> {
  const { changed, content, table } = options;
  const before = await tableBefore(work, table);
  if (before === undefined) await checkWhole(work, table.name);
  const isFullRead = changed.get(table.name)?.fullRead !== undefined;
  await work.duckdb.run(
    currentViews(table, { before, isFullRead }).join(";\n"),
  );
  if (!changed.has(table.name)) return;
  await keepTable(work, {
    table,
    content,
    ...isFullRead ? { whole: `from after.${quoteName(table.name)}` } : {},
  });
}

/**
 * Statements that show a table before the batch and after it, and what affected
 * models are found by: the rows that the batch `moved`, as before and after,
 * and those of `either` time.
 */
export function currentViews(
  table: ContractTable,
  options: { before: string | undefined; isFullRead: boolean },
): string[] {
  const { before = emptyTableSql(table), isFullRead } = options;
  const name = quoteName(table.name);
  const key = quoteNames(table.key);
  const columns = quoteNames(table.columns.map((column) => column.name));
  const keys = `(select ${key} from changed.${name}
    union all select ${key} from deleted.${name})`;
  const changed = `union all select ${columns} from changed.${name}`;
  return [
    `create or replace view before.${name} as ${before}`,
    `create or replace view after.${name} as
      select ${columns} from before.${name} anti join ${keys} using (${key})
      ${isFullRead ? `semi join arrived.${name} using (${key})` : ""}
      ${changed}`,
    `create or replace view moved.${name} as
      select ${columns} from before.${name} semi join ${keys} using (${key})
      ${changed}`,
    `create or replace view either.${name} as
      select ${columns} from before.${name} ${changed}`,
  ];
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
