import { emptyTableSql } from "../../lib/models/empty_relation.ts";
import type { IngestedTable } from "../../lib/batches/manifest.ts";
import { inShell } from "../../lib/in_shell.ts";
import { StageError } from "../../lib/errors.ts";
import { quoteName, quoteNames, quoteText } from "../../lib/sql/quote.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import {
  type BatchContent,
  type BatchWork,
  isAffected,
} from "../batches/batch_work.ts";
import { earlierFault, isQueryFault } from "../checks/query_fault.ts";
import { QUARANTINE_AFTER } from "./quarantine.ts";
import { keepTable, tableBefore } from "./table_state.ts";

/**
 * Updates the tables that joined models read to the end of this batch. Returns
 * those of which the lake lacks rows, each with the error that says so: a join
 * that reads one can't be made until it is read in full.
 */
export async function makeCurrent(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
  },
): Promise<ReadonlyMap<string, StageError>> {
  const { sql } = work;
  const { changed } = options;
  const joins = sql.models.filter((model) => model.derivation === "join");
  const affected = joins.filter((model) =>
    isAffected(work, { changed, model })
  );
  const needed = new Set(affected.flatMap((model) => model.reads));
  const lacking = new Map<string, string>();
  for (const table of sql.tables.filter((one) => needed.has(one.name))) {
    try {
      const lacks = await makeCurrentTable(work, { ...options, table });
      if (lacks !== undefined) lacking.set(table.name, lacks);
    } catch (error) {
      // What arrived has been read already.
      if (!isQueryFault(error)) throw error;
      const { batch } = work.input;
      throw earlierFault(error, { name: table.name, batch });
    }
  }
  const hint = `A model now reads it: run \`./totesys resync ${
    inShell([...lacking.keys()].join(","))
  } --accept\`, which reads all of it, or \`./totesys rebuild processed\`, which makes all batches with this model`;
  return new Map(
    [...lacking].map(([name, message]) => [
      name,
      new StageError(message, { subject: name, hint }),
    ]),
  );
}

/** Returns what it lacks, if it isn't kept yet: then it still isn't. */
async function makeCurrentTable(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
    table: ContractTable;
  },
): Promise<string | undefined> {
  const { changed, content, table } = options;
  const before = await tableBefore(work, table);
  const lacks = before === undefined
    ? await lackedBy(work, table.name)
    : undefined;
  if (lacks !== undefined) return lacks;
  const isFullRead = changed.get(table.name)?.fullRead !== undefined;
  await work.duckdb.run(
    currentViews(table, { before, isFullRead }).join(";\n"),
  );
  if (!changed.has(table.name)) return undefined;
  await keepTable(work, {
    table,
    content,
    ...isFullRead ? { whole: `from after.${quoteName(table.name)}` } : {},
  });
  return undefined;
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
 * now reads it would silently miss the others. Returns which are not.
 */
async function lackedBy(
  work: BatchWork,
  name: string,
): Promise<string | undefined> {
  const ingested = work.input.tables[name];
  if (work.previous === undefined || ingested === undefined) return undefined;
  if (ingested.fullRead !== undefined) return undefined;
  const [found] = await work.duckdb.rows(
    `select (select count(*) from arrived.${quoteName(name)})
      + (select count(*) from ${QUARANTINE_AFTER}
        where table_name = ${quoteText(name)})
      - (select count(*) from quarantined.${quoteName(name)}) as rows`,
  );
  const missing = ingested.sourceRows - Number(found?.rows);
  return missing <= 0
    ? undefined
    : `Cannot join "${name}" in batch ${work.input.batch}: it was not kept before, and ${missing} of its ${ingested.sourceRows} rows came in earlier batches`;
}
