import type pg from "pg";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import { tablesOf } from "../../lib/warehouse/model_tables.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";

/** What it takes of a model to find its rows. */
export type CheckedModel = Pick<
  WarehouseTable["model"],
  "name" | "kind" | "key"
>;

/** The relation, of this session alone, with a table's rows to be checked. */
export function checkedRows(table: string): string {
  return `pg_temp.${quoteName(`checked_${table}`)}`;
}

/**
 * Makes relations of the rows to be checked; a dimension's older ones are
 * apart. Those of the keys that batches touched are tables with statistics of
 * their own: those of a large table don't know of the versions that ended since
 * the last `analyze`, and a plan by them would compare each of these with each
 * key of the batch.
 */
export async function createChecked(
  client: pg.Client,
  model: CheckedModel,
  staging?: string,
): Promise<void> {
  const key = quoteNames(model.key);
  for (const table of tablesOf(model)) {
    const checked = checkedRows(table);
    const rows = `select * from ${quoteName(table)}`;
    await client.query(
      staging === undefined
        ? `create temporary view ${checked} as ${rows}`
        : `create temporary table ${checked} as ${rows}
          where (${key}) in (select ${key} from ${staging});
          analyze ${checked}`,
    );
  }
}

/** Removes them. */
export async function dropChecked(
  client: pg.Client,
  model: CheckedModel,
  staging?: string,
): Promise<void> {
  const names = tablesOf(model).map(checkedRows);
  const kind = staging === undefined ? "view" : "table";
  await client.query(`drop ${kind} ${names.join(", ")}`);
}
