import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { inSavepoint } from "../../lib/postgres/savepoint.ts";

/** Errors about a view with other columns, or a materialized one. */
const NO_SUCH_VIEW = /^(42P16|42809)$/;

/** Statements that restore what views had before they were made again. */
export type ViewsBefore = readonly string[];

/** Default grants to new objects, which are revoked. */
const DEFAULTS = `select grantee from pg_default_acl, aclexplode(defaclacl)
  where grantee <> 0
  union select 0::oid`;

/**
 * The views and functions of a table, and what each has beside its definition:
 * grants, comments, options.
 */
const KEPT = `with objects as (
  select 1 as turn, 'table' as kind, oid, oid::regclass::text as name, relowner as owner,
    coalesce(relacl, acldefault('r', relowner)) as acl, 'pg_class' as catalog,
    'view' as comment_on
  from pg_class
  where oid = any(array[
    to_regclass(quote_ident($1 || '_current')),
    to_regclass(quote_ident($1 || '_history'))
  ])
  union all
  select 2, 'function', oid, oid::regprocedure::text, proowner,
    coalesce(proacl, acldefault('f', proowner)), 'pg_proc', 'function'
  from pg_proc
  where oid = any(array[
    to_regprocedure(format('%I(bigint)', $1 || '_as_of_batch')),
    to_regprocedure(format('%I(timestamptz)', $1 || '_as_of_time'))
  ])
), grants as (
  select turn, kind, name, '' as column_name, owner, (aclexplode(acl)).*
  from objects
  union all
  select turn, kind, name, format('(%I)', attname), owner,
    (aclexplode(attacl)).*
  from objects
  inner join pg_attribute on attrelid = objects.oid
  where kind = 'table' and attname <> all($2::text[])
)
select 1 as step, turn, format('revoke all on %s %s from %s', kind, name,
  case when grantee = 0 then 'public' else grantee::regrole::text end) as sql
from objects cross join (${DEFAULTS}) as defaults
where grantee <> owner
union all
select 2, turn, format('grant %s %s on %s %s to %s%s', privilege_type,
  column_name, kind, name,
  case when grantee = 0 then 'public' else grantee::regrole::text end,
  case when is_grantable then ' with grant option' else '' end)
from grants where grantee <> owner
union all
select 3, turn, format('comment on %s %s is %L', comment_on, name,
  obj_description(oid, catalog))
from objects where obj_description(oid, catalog) is not null
union all
select 3, turn, format('comment on column %s.%I is %L', name, attname,
  col_description(objects.oid, attnum))
from objects
inner join pg_attribute on attrelid = objects.oid
where kind = 'table' and attname <> all($2::text[])
  and col_description(objects.oid, attnum) is not null
union all
select 4, turn, format('alter view %s set (%s)', name,
  array_to_string(reloptions, ', '))
from objects
inner join pg_class on pg_class.oid = objects.oid
where kind = 'table' and reloptions is not null and relkind = 'v'
order by step, turn, sql`;

/** SQL for whether the table $1 has the views of `pipeline.make_views`. */
const HAS_VIEWS = `to_regprocedure('pipeline.make_views(name)') is not null
  and to_regclass(quote_ident($1 || '_history')) is not null`;

/** Whether a table has the views that `pipeline.make_views` creates. */
export async function hasViews(
  client: pg.Client,
  table: string,
): Promise<boolean> {
  const [found] = await query(
    client,
    `select ${HAS_VIEWS} as made`,
    [table],
  );
  return found?.made === "t";
}

/**
 * Drops the views and functions of a table, so that its columns can change, and
 * returns what they had. Throws when others depend on them.
 */
export async function dropViews(
  client: pg.Client,
  options: {
    table: string;
    /** Columns that are about to be dropped. */
    dropped: readonly string[];
  },
): Promise<ViewsBefore> {
  const { table, dropped } = options;
  const kept = await query(client, KEPT, [table, dropped]);
  const drops = await query(
    client,
    `select format('drop function %s', oid::regprocedure) as sql from pg_proc
    where oid = any(array[
      to_regprocedure(format('%I(bigint)', $1::text || '_as_of_batch')),
      to_regprocedure(format('%I(timestamptz)', $1 || '_as_of_time'))
    ])
    union all
    select format('drop %s %s', case relkind when 'm' then 'materialized view'
      else 'view' end, oid::regclass) from pg_class
    where oid = any(array[
      to_regclass(quote_ident($1 || '_current')),
      to_regclass(quote_ident($1 || '_history'))
    ])
    order by sql`,
    [table],
  );
  for (const { sql } of drops) await client.query(sql ?? "");
  return kept.map(({ sql }) => sql ?? "");
}

/**
 * Creates the views and functions of a table where they lack a column that it
 * has, or were dropped before; a table that never had them gets none.
 */
export async function makeViews(
  client: pg.Client,
  options: { table: string; views: ViewsBefore | undefined },
): Promise<void> {
  const { table, views } = options;
  const lacking = await query(
    client,
    `select attname from pg_attribute
    where attrelid = to_regclass(quote_ident($1)) and attnum > 0
      and not attisdropped and attname <> 'is_placeholder'
      ${views === undefined ? `and ${HAS_VIEWS}` : ""}
    except select attname from pg_attribute
    where attrelid = to_regclass(quote_ident($1 || '_history'))
    -- What somebody gave the dimension alone is in none of its views.
    except select own.attname from pg_attribute as own
    where own.attrelid = to_regclass(quote_ident($1))
      and to_regclass(quote_ident($1 || '_closed')) is not null
      and not exists (
        select from pg_attribute as closed
        where closed.attrelid = to_regclass(quote_ident($1 || '_closed'))
          and closed.attname = own.attname and not closed.attisdropped
      )`,
    [table],
  );
  if (lacking.length === 0) return;
  await client.query("call pipeline.make_views($1::name)", [table]);
  for (const sql of views ?? []) await client.query(sql);
}

/**
 * Creates the views and functions of a table again, whatever somebody put in
 * their place; they keep their grants. Throws when others depend on a view that
 * has the wrong columns, and a `StageError` where a table has its name.
 */
export async function makeViewsAgain(
  client: pg.Client,
  table: string,
): Promise<void> {
  const [found] = await query(
    client,
    "select to_regprocedure('pipeline.make_views(name)') is not null as made",
  );
  if (found?.made !== "t") return;
  await checkNoTable(client, table);
  const make = () =>
    client.query("call pipeline.make_views($1::name)", [table]);
  if (await inSavepoint(client, NO_SUCH_VIEW, make)) return;
  const views = await dropViews(client, { table, dropped: [] });
  await make();
  for (const sql of views) await client.query(sql);
}

/** Only the person who made such a table knows what it holds. */
async function checkNoTable(client: pg.Client, table: string): Promise<void> {
  const [found] = await query(
    client,
    `select oid::regclass::text as name from pg_class
    where relkind in ('r', 'p', 'f') and oid = any(array[
      to_regclass(quote_ident($1 || '_current')),
      to_regclass(quote_ident($1 || '_history'))
    ]) order by name`,
    [table],
  );
  if (found === undefined) return;
  const name = found.name ?? "";
  throw new StageError(
    `Cannot make the view ${name}: a table has this name`,
    {
      subject: table,
      hint: "Drop the table, or give it another name, and run it again",
    },
  );
}
