import type { Logger } from "@logtape/logtape";
import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { INTERVAL_COLUMNS } from "../rows/export_versions.ts";

/**
 * The warehouse's tables whose models were removed: they have the columns of
 * history, and the view of their current rows and the function that load makes
 * for each table, which somebody's own tables of history hardly have.
 */
export async function abandonedTables(
  client: pg.Client,
  models: readonly string[],
): Promise<string[]> {
  const rows = await query(
    client,
    `select relname as name from pg_class
    where relkind in ('r', 'p')
      and relnamespace = to_regnamespace(quote_ident(current_schema()))
      and relname <> all($1::text[])
      and to_regclass(quote_ident(relname || '_current')) is not null
      and to_regprocedure(format('%I(bigint)', relname || '_as_of_batch'))
        is not null
      and (
        select count(*) from pg_attribute
        where attrelid = pg_class.oid and not attisdropped
          and attname = any($2::text[])
      ) = $3::bigint
    order by relname`,
    [models, INTERVAL_COLUMNS, INTERVAL_COLUMNS.length],
  );
  return rows.map(({ name }) => name ?? "");
}

/** Warns of each such table whose model was there before, if that is known. */
export async function warnOfAbandoned(
  client: pg.Client,
  options: {
    models: readonly { name: string }[];
    /** Has the models before. */
    before: Readonly<Record<string, unknown>> | undefined;
    log: Logger;
  },
): Promise<void> {
  const { models, before, log } = options;
  const names = models.map(({ name }) => name);
  for (const table of await abandonedTables(client, names)) {
    if (before !== undefined && !Object.hasOwn(before, table)) continue;
    log.warn("{table}: {note}", { table, note: abandonedNote(table) });
  }
}

/** The text of messages about such a table. */
export function abandonedNote(table: string): string {
  return `its model was removed, and its rows no longer change; once nobody reads it: drop table ${
    quoteName(table)
  } cascade`;
}
