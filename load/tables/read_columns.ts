import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import type { TextRow } from "../../lib/sql/quote.ts";
import { IS_LOOSE } from "./column_fault.ts";

/** A column of a table in the warehouse. */
export interface TableColumn {
  name: string;
  /** As `format_type` writes it; for a domain, its base type. */
  type: string;
  /** The column's domain, if it has one. */
  domain?: string;
  isNotNull: boolean;
  /** Whether the table itself gives it a value: always, or by default. */
  isGenerated: boolean;
  hasDefault: boolean;
  /** Whether it treats different texts as equal. */
  isLoose: boolean;
}

/** The columns of tables that exist and have some. */
export async function readColumns(
  client: pg.Client,
  tables: readonly string[],
): Promise<Map<string, TableColumn[]>> {
  const rows = await query(
    client,
    `with recursive base (model_table, relation, attnum, type, modifier) as (
      select given.name, attrelid, attnum, atttypid, atttypmod
      from unnest($1::text[]) as given (name)
      inner join pg_attribute
        on attrelid = to_regclass(quote_ident(given.name))
      union all
      select model_table, relation, attnum, typbasetype, typtypmod from base
      inner join pg_type on oid = base.type where typtype = 'd'
    )
    select model_table, attname as name, format_type(base.type, base.modifier) as type,
      attnotnull as is_not_null, attgenerated <> '' as is_generated,
      atthasdef or attidentity <> '' or exists (
        select from pg_type as own
        where own.oid = atttypid and own.typdefault is not null
      ) as has_default,
      case when base.type <> atttypid then format_type(atttypid, null) end
        as domain, ${IS_LOOSE} as is_loose
    from pg_attribute
    inner join base on base.relation = pg_attribute.attrelid
      and base.attnum = pg_attribute.attnum
    inner join pg_type on pg_type.oid = base.type and typtype <> 'd'
    where pg_attribute.attnum > 0 and not attisdropped
    order by pg_attribute.attnum`,
    [tables],
  );
  const byTable = Map.groupBy(rows, (row) => row.model_table ?? "");
  return new Map(
    [...byTable].map(([table, columns]) => [table, columns.map(columnOf)]),
  );
}

function columnOf(row: TextRow): TableColumn {
  return {
    name: row.name ?? "",
    type: row.type ?? "",
    ...row.domain ? { domain: row.domain } : {},
    isNotNull: row.is_not_null === "t",
    isGenerated: row.is_generated === "t",
    hasDefault: row.has_default === "t",
    isLoose: row.is_loose === "t",
  };
}
