import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
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
  return `pg_temp.${quoteName(checkedName(table))}`;
}

function checkedName(table: string): string {
  return `checked_${table}`;
}

/** What a name without a schema finds, if that is not of this session. */
const FOUND_SQL = `select format('%I.%I', nspname, relname) as found
  from unnest($1::text[]) as given (name)
  inner join pg_class on pg_class.oid = to_regclass(quote_ident(given.name))
  inner join pg_namespace on relnamespace = pg_namespace.oid
  where pg_namespace.oid <> pg_my_temp_schema()
  limit 1`;

/**
 * Makes relations of the rows to be checked; a dimension's older ones are
 * apart. Those of the keys that batches touched are tables with statistics of
 * their own: those of a large table don't know of the versions that ended since
 * the last `analyze`, and a plan by them would compare each of these with each
 * key of the batch. Throws a `StageError` if a check, which names no schema,
 * would find another relation.
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
  const names = tablesOf(model).map(checkedName);
  const [hidden] = await query(client, FOUND_SQL, [names]);
  if (hidden === undefined) return;
  throw new StageError(
    `Cannot check "${model.name}": its checks would read ${hidden.found} in place of the rows to be checked`,
    {
      subject: model.name,
      hint: `Rename ${hidden.found}, or drop it`,
    },
  );
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
