-- The contract's tables, the largest first, as they must be known before they
-- are locked; those that don't exist, or aren't tables, are left out. None of
-- this waits for a table. $1: schemas; $2: names there; $3: the contract's
-- names; $4: the columns to read, by the contract's name.
with recursive tables as (
    select
        class.oid,
        wanted.called as name,
        class.relname as source_name,
        class.relkind as kind,
        namespace.nspname as schema_name,
        namespace.oid as schema_oid
    from pg_class as class
    inner join pg_namespace as namespace
        on class.relnamespace = namespace.oid
    inner join unnest($1::text[], $2::text[], $3::text[])
        as wanted (schema_name, name, called)
        on
            namespace.nspname = wanted.schema_name
            and class.relname = wanted.name
    where class.relkind in ('r', 'p')
),

-- Each table with its partitions.
parts as (
    select
        tables.oid as table_oid,
        tables.oid,
        tables.kind
    from tables
    union all
    select
        parts.table_oid,
        inheritance.inhrelid as oid,
        parts.kind
    from parts
    inner join pg_inherits as inheritance
        on parts.oid = inheritance.inhparent
    where parts.kind = 'p'
),

sizes as (
    select
        parts.table_oid,
        sum(
            greatest(class.reltuples, pg_stat_get_live_tuples(class.oid), 0)
        ) as rows,
        sum(
            1 + (
                select count(*)
                from pg_index as index
                where index.indrelid = parts.oid
            )
        ) as locks
    from parts
    inner join pg_class as class
        on parts.oid = class.oid
    group by parts.table_oid
)

select
    tables.name,
    tables.schema_name,
    tables.source_name,
    tables.kind,
    sizes.locks::text as locks,
    has_schema_privilege(tables.schema_oid, 'usage')::text as may_enter,
    case
        when has_table_privilege(tables.oid, 'select') then '[]'
        else (
            select
                coalesce(
                    pg_catalog.jsonb_agg(
                        attribute.attname
                        order by attribute.attnum < 0, attribute.attnum
                    ),
                    '[]'
                )
            from pg_attribute as attribute
            where
                attribute.attrelid = tables.oid
                and not has_column_privilege(
                    tables.oid, attribute.attnum, 'select'
                )
                and jsonb_exists(
                    $4::jsonb -> tables.name, attribute.attname
                )
        )::text
    end as denied
from tables
inner join sizes
    on tables.oid = sizes.table_oid
order by sizes.rows desc, tables.name
