import type pg from "pg";
import { query, queryRow } from "../lib/postgres/postgres.ts";
import { quoteName, quoteNames } from "../lib/sql/quote.ts";
import { inSavepoint } from "../lib/postgres/savepoint.ts";
import { closedTable } from "../lib/warehouse/model_tables.ts";
import type { ModelInLake } from "./lake_rows.ts";

const UNDEFINED_COLUMN = /^42703$/;
const OWN_VIEW = "pg_temp.verified_view";

/**
 * The views and functions of a model that somebody replaced. Their results may
 * be right now, and wrong for the past or tomorrow, so their definitions are
 * compared with verify's own: for views, as the server prints both. Creates
 * temporary views, in the open transaction.
 */
export async function findReplacedViews(
  client: pg.Client,
  { name, kind }: ModelInLake,
): Promise<string[]> {
  const own = quoteName(name);
  const closed = quoteName(closedTable(name));
  const isDimension = kind === "dimension";
  const selects: Record<string, (columns: string) => string> = {
    [`${name}_current`]: (columns) =>
      `select ${columns} from ${own} where to_batch is null${
        isDimension ? " and not is_placeholder" : ""
      }`,
    [`${name}_history`]: (columns) =>
      `select ${columns} from ${own}${
        isDimension
          ? ` where not is_placeholder union all select ${columns} from ${closed}`
          : ""
      }`,
  };
  const replaced = await replacedFunctions(client, name);
  for (const [view, select] of Object.entries(selects)) {
    if (!await isDefinedBy(client, { view, select })) replaced.push(view);
  }
  return replaced.sort();
}

/** A view's columns are compared elsewhere. */
async function isDefinedBy(
  client: pg.Client,
  { view, select }: { view: string; select: (columns: string) => string },
): Promise<boolean> {
  const { fields } = await client.query(
    `select * from ${quoteName(view)} limit 0`,
  );
  const columns = quoteNames(fields.map(({ name }) => name));
  let isSame = false;
  // A column that the table lacks is somebody's own.
  await inSavepoint(client, UNDEFINED_COLUMN, async () => {
    await client.query(
      `create temporary view ${OWN_VIEW} as ${select(columns)}`,
    );
    const { same } = await queryRow(
      client,
      `select relkind = 'v' and pg_get_viewdef(oid) = pg_get_viewdef($2::regclass)
        as same from pg_class where oid = to_regclass(quote_ident($1))`,
      [view, OWN_VIEW],
    );
    isSame = same === "t";
    await client.query(`drop view ${OWN_VIEW}`);
  });
  return isSame;
}

async function replacedFunctions(
  client: pg.Client,
  model: string,
): Promise<string[]> {
  const rows = await query(
    client,
    `select asked.name from (values
      ($1 || '_as_of_batch', 'bigint', 'from_batch', 'to_batch'),
      ($1 || '_as_of_time', 'timestamptz', 'valid_from', 'valid_to')
    ) as asked (name, argument, since, until)
    inner join pg_proc on pg_proc.oid = to_regprocedure(
      format('%I(%s)', asked.name, asked.argument)
    )
    inner join pg_language on pg_language.oid = prolang
    inner join pg_class as history
      on history.oid = to_regclass(quote_ident($1 || '_history'))
    where lanname <> 'sql' or not proretset or prorettype <> history.reltype
      or prosrc <> format(
        'select * from %s.%I where %I <= $1 and (%I is null or %I > $1)',
        relnamespace::regnamespace, relname, since, until, until
      )`,
    [model],
  );
  return rows.map(({ name }) => name ?? "");
}
