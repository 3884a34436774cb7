import type pg from "pg";
import { query } from "../../../lib/postgres/postgres.ts";

/** What a warehouse has in the schemas public and pipeline, a line for each. */
const CATALOGUE_SQL = `
  with relations as (
    select oid, oid::regclass::text as name, relkind, relacl from pg_class
    where relnamespace in ('public'::regnamespace, 'pipeline'::regnamespace)
      and relkind in ('r', 'v')
  ), routines as (
    select oid, oid::regprocedure::text as name, proacl from pg_proc
    where pronamespace in ('public'::regnamespace, 'pipeline'::regnamespace)
  ), grants as (
    select name, aclexplode(relacl) as granted from relations
    union all select name, aclexplode(proacl) from routines
  )
  select format('column %s %s %s %s%s', name, lpad(place::text, 2, '0'),
    attname, format_type(atttypid, atttypmod),
    case when attnotnull then ' not null' else '' end) as line
  from (
    select relations.name, pg_attribute.*, row_number() over (
      partition by relations.oid order by attnum) as place
    from relations inner join pg_attribute on attrelid = relations.oid
    where attnum > 0 and not attisdropped
  ) as columns
  union all
  select format('default %s %s %s', name, attname, pg_get_expr(adbin, adrelid))
  from pg_attrdef inner join relations on adrelid = relations.oid
  inner join pg_attribute on attrelid = adrelid and attnum = adnum
  union all
  select 'index ' || replace(pg_get_indexdef(indexrelid), ' public.', ' ')
  from pg_index inner join relations on indrelid = relations.oid
  union all
  select format('constraint %s %s %s', name, conname,
    pg_get_constraintdef(pg_constraint.oid))
  from pg_constraint inner join relations on conrelid = relations.oid
  union all
  select format('comment %s: %s', name, obj_description(oid, 'pg_class'))
  from relations where obj_description(oid, 'pg_class') is not null
  union all
  select format('comment %s %s: %s', name, attname,
    col_description(relations.oid, attnum))
  from relations inner join pg_attribute on attrelid = relations.oid
  where col_description(relations.oid, attnum) is not null
  union all
  select format('comment %s: %s', name, obj_description(oid, 'pg_proc'))
  from routines where obj_description(oid, 'pg_proc') is not null
  union all
  select format('view %s %s', name, pg_get_viewdef(oid))
  from relations where relkind = 'v'
  union all
  select format('routine %s %s', name, pg_get_functiondef(oid)) from routines
  union all
  select format('grant %s %s=%s', name,
    case when (granted).grantee = 0 then 'public'
      else (granted).grantee::regrole::text end,
    string_agg((granted).privilege_type, ' ' order by (granted).privilege_type))
  from grants group by name, (granted).grantee`;

/** What a warehouse has, less its rows: sorted, to be compared. */
export async function readCatalogue(client: pg.Client): Promise<string[]> {
  const rows = await query(client, CATALOGUE_SQL);
  return rows.map(({ line }) => line ?? "").sort();
}
