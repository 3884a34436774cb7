import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { closedTable } from "../../lib/warehouse/model_tables.ts";
import { INTERVAL_COLUMNS } from "../rows/export_versions.ts";

/**
 * A table that load made under one name and that has another one, or another
 * schema, now: by its name where that is out of sight, or by the model's view,
 * which follows it.
 */
const MOVED_SQL = `select own.oid::regclass::text as path,
    nspname as schema_name, relname as name
  from pg_class as own
  inner join pg_namespace on pg_namespace.oid = relnamespace
  where relkind in ('r', 'p') and relpersistence <> 't' and (
      relname = $2::text and not pg_table_is_visible(own.oid) or own.oid in (
        select refobjid from pg_rewrite
        inner join pg_depend on objid = pg_rewrite.oid
          and classid = 'pg_rewrite'::regclass
          and refclassid = 'pg_class'::regclass
        where ev_class = to_regclass(quote_ident($1::text || '_history'))
      ) and own.oid is distinct from to_regclass(quote_ident($1::text))
        and own.oid is distinct from to_regclass(quote_ident($1::text || '_closed'))
    ) and (
      select count(*) from pg_attribute
      where attrelid = own.oid and not attisdropped and attname = any($3::text[])
    ) = $4::bigint
  order by relname = $2::text desc, path limit 1`;

/**
 * Throws a `StageError` for a model's table that the ledger knows and that is
 * not there: created again it would lack the rows of earlier batches, unless
 * all rows are going to be loaded again and nothing is left of it.
 */
export async function checkNoneMissing(
  client: pg.Client,
  missing: readonly { name: string }[],
  { reloads }: { reloads: boolean },
): Promise<void> {
  const lost = await query(
    client,
    `select model, min(batch) as batch from pipeline.batch_file
    where model = any($1) group by model order by model`,
    [missing.map(({ name }) => name)],
  );
  for (const { model, batch } of lost) {
    const subject = model ?? "";
    await checkNotMoved(client, { model: subject, table: subject });
    const closed = closedTable(subject);
    const [left] = await query(
      client,
      "select 1 as one where to_regclass(quote_ident($1::text)) is not null",
      [closed],
    );
    if (reloads && left === undefined) continue;
    const rebuild = "`./totesys rebuild warehouse` makes it again";
    throw new StageError(
      `Cannot load the model "${subject}": its table is gone, which has had rows since batch ${batch}`,
      {
        subject,
        hint: left === undefined
          ? `${rebuild}, with all of its rows`
          : `Drop what is left of it (drop table ${
            quoteName(closed)
          } cascade); then ${rebuild}, with all of its rows`,
      },
    );
  }
}

/**
 * Throws a `StageError` that says where a table of a model's is, if somebody
 * moved or renamed it, or another search_path hides it.
 */
export async function checkNotMoved(
  client: pg.Client,
  { model, table }: { model: string; table: string },
): Promise<void> {
  const [moved] = await query(client, MOVED_SQL, [
    model,
    table,
    INTERVAL_COLUMNS,
    INTERVAL_COLUMNS.length,
  ]);
  if (moved === undefined) return;
  const { path, schema_name: schema, name } = moved;
  const [here] = await query(client, "select current_schema() as name");
  const steps = [
    ...name === table ? [] : [`rename to ${quoteName(table)}`],
    ...schema === here?.name
      ? []
      : [`set schema ${quoteName(here?.name ?? "")}`],
  ];
  const back = `alter table ${path} ${steps[0]}${
    steps.length < 2
      ? ""
      : `; alter table ${quoteName(schema ?? "")}.${quoteName(table)} ${
        steps[1]
      }`
  }`;
  throw new StageError(
    `Cannot load the model "${model}": its table "${table}" is ${path} now, where load does not look for it`,
    {
      subject: model,
      hint:
        `Move it back (${back}), or let the search_path of the loader's role lead to it. Or drop it with its views, and \`./totesys rebuild warehouse\` makes it again`,
    },
  );
}
