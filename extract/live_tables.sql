-- The contract's tables as the live catalogue has them. $1: schemas;
-- $2: names there; $3: the contract's names.
with recursive unwrapped (domain, oid) as (
    select
        domain.oid as domain,
        domain.typbasetype as oid
    from pg_type as domain
    where domain.typtype = 'd'
    union all
    select
        unwrapped.domain,
        inner_domain.typbasetype as oid
    from unwrapped
    inner join pg_type as inner_domain on unwrapped.oid = inner_domain.oid
    where inner_domain.typtype = 'd'
),

-- The built-in types of domains. It is kept, or each column would look for it.
domain_base as materialized (
    select
        unwrapped.domain,
        pg_catalog.format_type(built_in.oid, -1) as name
    from unwrapped
    inner join pg_type as built_in on unwrapped.oid = built_in.oid
    where
        built_in.typtype <> 'd'
        and built_in.typnamespace = 'pg_catalog'::regnamespace
)

select
    wanted.called as name,
    class.relkind as kind,
    coalesce(access_method.amname, 'heap') as access_method,
    exists (
        select
        from pg_inherits as inheritance
        where
            inheritance.inhparent = class.oid
            and class.relkind = 'r'
    )::text as has_children,
    current_setting('server_encoding') as encoding,
    columns.columns,
    unique_keys.unique_keys,
    parts.parts
from pg_class as class
inner join pg_namespace as namespace
    on class.relnamespace = namespace.oid
inner join unnest($1::text[], $2::text[], $3::text[])
    as wanted (schema_name, name, called)
    on
        namespace.nspname = wanted.schema_name
        and class.relname = wanted.name
left join pg_am as access_method
    on class.relam = access_method.oid
cross join lateral (
    select
        pg_catalog.jsonb_agg(
            pg_catalog.jsonb_build_object(
                'name', attribute.attname,
                'number', attribute.attnum,
                'type', pg_catalog.format_type(
                    attribute.atttypid, attribute.atttypmod
                ),
                'schema', type_namespace.nspname,
                'baseType', case
                    when type.typtype = 'd' then domain_base.name
                    when type.typnamespace = 'pg_catalog'::regnamespace
                        then pg_catalog.format_type(type.oid, -1)
                end,
                'notNull', attribute.attnotnull and not exists (
                    -- In PostgreSQL 18, older rows may break one not validated.
                    select
                    from pg_constraint as not_null
                    where
                        not_null.conrelid = class.oid
                        and not_null.contype = 'n'
                        and not not_null.convalidated
                        and not_null.conkey @> array[attribute.attnum]
                )
            )
            order by attribute.attnum
        )::text as columns
    from pg_attribute as attribute
    inner join pg_type as type
        on attribute.atttypid = type.oid
    inner join pg_namespace as type_namespace
        on type.typnamespace = type_namespace.oid
    left join domain_base
        on type.oid = domain_base.domain
    where
        attribute.attrelid = class.oid
        and attribute.attnum > 0
        and not attribute.attisdropped
) as columns
cross join lateral (
    select
        coalesce(
            pg_catalog.jsonb_agg(
                (
                    select pg_catalog.jsonb_agg(attribute.attname)
                    from pg_attribute as attribute
                    where
                        attribute.attrelid = class.oid
                        and attribute.attnum = any(
                            -- INCLUDE columns follow the key columns.
                            (index.indkey::smallint[])
                            [0:index.indnkeyatts - 1]
                        )
                )
            ),
            '[]'
        )::text as unique_keys
    from pg_index as index
    where
        index.indrelid = class.oid
        and index.indisunique
        and index.indisvalid
        and index.indpred is null
        and index.indexprs is null
) as unique_keys
cross join lateral (
    select
        coalesce(
            pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object(
                    'name', part.relname,
                    'kind', part.relkind,
                    'oid', part.oid::text,
                    'identity', part.oid || ':' || coalesce(
                        pg_catalog.pg_relation_filenode(part.oid), 0
                    ),
                    'bytes', pg_catalog.pg_relation_size(part.oid),
                    'written', pg_stat_get_tuples_inserted(part.oid)
                    + pg_stat_get_tuples_updated(part.oid)
                    + pg_stat_get_tuples_deleted(part.oid),
                    -- The columns whose number is not that of the table's.
                    'numbers', (
                        select
                            pg_catalog.jsonb_object_agg(own.attname, own.attnum)
                        from pg_attribute as own
                        inner join pg_attribute as above
                            on own.attname = above.attname
                        where
                            class.relkind = 'p'
                            and own.attrelid = part.oid
                            and own.attnum > 0
                            and not own.attisdropped
                            and above.attrelid = class.oid
                            and above.attnum <> own.attnum
                    )
                )
                order by part.oid
            ),
            '[]'
        )::text as parts
    from pg_class as part
    where
        (class.relkind <> 'p' and part.oid = class.oid)
        or (
            class.relkind = 'p'
            and part.relkind <> 'p'
            -- pg_partition_tree() would wait for a partition that is newer than
            -- this transaction's snapshot, and so is not locked.
            and part.oid in (
                with recursive branches as (
                    select class.oid as relation
                    union all
                    select inheritance.inhrelid as relation
                    from branches
                    inner join pg_inherits as inheritance
                        on branches.relation = inheritance.inhparent
                    -- What is being detached is no longer read with the table.
                    where not inheritance.inhdetachpending
                )

                select branches.relation from branches
            )
        )
) as parts
