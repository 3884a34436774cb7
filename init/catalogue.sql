-- The source's catalogue on the tables that a folder of SQL can be made from:
-- ordinary ones and parents of partitions. $1: schemas; $2: names, with or
-- without the schema's, or null for all.
select
    namespace.nspname as schema_name,
    class.relname as name,
    class.relkind as kind,
    obj_description(class.oid, 'pg_class') as comment,
    class.relrowsecurity::text as row_security,
    row_security_active(class.oid)::text as hides_rows,
    (
        has_schema_privilege(namespace.oid, 'usage')
        and has_table_privilege(class.oid, 'select')
    )::text as readable,
    -- Why extract refuses it, in the same words; and a table that came with an
    -- extension is the company's only if it is named.
    case
        when $2::text[] is null and extension.extname is not null
            then
                'it belongs to the extension ' || extension.extname
                || '; --tables takes it if its rows are your own'
        when class.relkind = 'r' and class.relhassubclass and exists (
            select from pg_inherits where inhparent = class.oid
        ) then 'other tables inherit from it, whose rows would be left out'
        when access_method.amname <> 'heap'
            then
                'its access method is ' || access_method.amname
                || ': only heap has the ids by which changes are found'
        when class.relkind = 'p'
            then (
                select
                    'its partition ' || part.relname || ' is no ordinary table'
                from pg_class as part
                where
                    part.oid = any(tree.relations)
                    and part.relkind not in ('r', 'p')
                order by part.relname
                limit 1
            )
    end as refusal,
    (
        select
            coalesce(
                pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object(
                        'schema', part_namespace.nspname,
                        'name', part.relname,
                        'readable',
                        has_schema_privilege(part_namespace.oid, 'usage')
                        and has_table_privilege(part.oid, 'select')
                        and not row_security_active(part.oid)
                    )
                    -- The newest first.
                    order by part.oid desc
                ),
                '[]'
            )
        from pg_class as part
        inner join pg_namespace as part_namespace
            on part.relnamespace = part_namespace.oid
        where
            class.relkind = 'p'
            and part.oid = any(tree.relations)
            and part.relkind = 'r'
    )::text as partitions,
    columns.columns,
    unique_keys.unique_keys,
    foreign_keys.foreign_keys
from pg_class as class
inner join pg_namespace as namespace
    on class.relnamespace = namespace.oid
left join pg_am as access_method
    on class.relam = access_method.oid
left join pg_depend as membership
    on
        membership.classid = 'pg_class'::regclass
        and class.oid = membership.objid
        and membership.deptype = 'e'
left join pg_extension as extension
    on membership.refobjid = extension.oid
-- The table and its partitions: pg_partition_tree() would wait for their locks.
cross join lateral (
    with recursive branches as (
        select class.oid as relation
        union all
        select inheritance.inhrelid as relation
        from branches
        inner join pg_inherits as inheritance
            on branches.relation = inheritance.inhparent
        where
            class.relkind = 'p'
            -- What is being detached is no longer read with the table.
            and not inheritance.inhdetachpending
    )

    select pg_catalog.array_agg(branches.relation) as relations from branches
) as tree
cross join lateral (
    select
        coalesce(
            pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object(
                    'name', attribute.attname,
                    'type', pg_catalog.format_type(
                        attribute.atttypid, attribute.atttypmod
                    ),
                    'valueType', value_type.name,
                    'isLoose', coalesce(
                        value_type.bare_name = 'citext'
                        or not collation_of.collisdeterministic,
                        false
                    ),
                    'notNull', attribute.attnotnull and not exists (
                        -- In PostgreSQL 18, as extract sees it.
                        select
                        from pg_constraint as not_null
                        where
                            not_null.conrelid = class.oid
                            and not_null.contype = 'n'
                            and not not_null.convalidated
                            and not_null.conkey @> array[attribute.attnum]
                    ),
                    -- By its default, or by what the server sampled of it.
                    'mayBeInfinite', value_type.has_infinity and (
                        coalesce(
                            case
                                when attribute.attgenerated = ''
                                    then pg_get_expr(default_of.adbin, 0)
                                -- An expression with names of columns needs
                                -- the table, and would wait for its lock.
                                when not exists (
                                    select
                                    from pg_locks
                                    where
                                        relation = class.oid
                                        and mode = 'AccessExclusiveLock'
                                )
                                    then pg_get_expr(
                                        default_of.adbin, default_of.adrelid
                                    )
                            end like '%infinity%',
                            false
                        )
                        or sampled.is_infinite
                    ),
                    'hasInfinity', value_type.has_infinity,
                    'comment', col_description(class.oid, attribute.attnum)
                )
                order by attribute.attnum
            ),
            '[]'
        )::text as columns
    from pg_attribute as attribute
    -- A domain's base type, which may be a domain itself.
    cross join lateral (
        with recursive types as (
            select
                attribute.atttypid as id,
                attribute.atttypmod as modifier
            union all
            select
                pg_type.typbasetype as id,
                pg_type.typtypmod as modifier
            from types
            inner join pg_type
                on types.id = pg_type.oid
            where pg_type.typtype = 'd'
        )

        select
            pg_catalog.format_type(types.id, types.modifier) as name,
            pg_type.typname as bare_name,
            pg_type.typname in ('date', 'timestamp', 'timestamptz')
                as has_infinity
        from types
        inner join pg_type
            on types.id = pg_type.oid
        where pg_type.typtype <> 'd'
    ) as value_type
    cross join lateral (
        select
            coalesce(
                bool_or(
                    array['infinity', '-infinity'] && (
                        coalesce(most_common_vals::text::text[], '{}')
                        || coalesce(histogram_bounds::text::text[], '{}')
                    )
                ),
                false
            ) as is_infinite
        from pg_class as part
        inner join pg_namespace as part_namespace
            on part.relnamespace = part_namespace.oid
        inner join pg_stats
            on
                part_namespace.nspname = pg_stats.schemaname
                and part.relname = pg_stats.tablename
        where
            value_type.has_infinity
            and part.oid = any(tree.relations)
            and pg_stats.attname = attribute.attname
    ) as sampled
    left join pg_collation as collation_of
        on attribute.attcollation = collation_of.oid
    left join pg_attrdef as default_of
        on
            attribute.attrelid = default_of.adrelid
            and attribute.attnum = default_of.adnum
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
                    select
                        pg_catalog.jsonb_agg(
                            attribute.attname
                            order by part.place
                        )
                    from pg_catalog.unnest(
                        (index.indkey::smallint[])[0:index.indnkeyatts - 1]
                    ) with ordinality as part (number, place)
                    inner join pg_attribute as attribute
                        on
                            attribute.attrelid = class.oid
                            and attribute.attnum = part.number
                )
                order by index.indisprimary desc, index.indexrelid
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
                    'columns', (
                        select
                            pg_catalog.jsonb_agg(
                                attribute.attname
                                order by part.place
                            )
                        from pg_catalog.unnest(foreign_key.conkey)
                        with ordinality as part (number, place)
                        inner join pg_attribute as attribute
                            on
                                attribute.attrelid = class.oid
                                and attribute.attnum = part.number
                    ),
                    'schema', target_namespace.nspname,
                    'table', target.relname,
                    'targetColumns', (
                        select
                            pg_catalog.jsonb_agg(
                                attribute.attname
                                order by part.place
                            )
                        from pg_catalog.unnest(foreign_key.confkey)
                        with ordinality as part (number, place)
                        inner join pg_attribute as attribute
                            on
                                attribute.attrelid = target.oid
                                and attribute.attnum = part.number
                    )
                )
                order by foreign_key.conname
            ),
            '[]'
        )::text as foreign_keys
    from pg_constraint as foreign_key
    inner join pg_class as target
        on foreign_key.confrelid = target.oid
    inner join pg_namespace as target_namespace
        on target.relnamespace = target_namespace.oid
    where
        foreign_key.conrelid = class.oid
        and foreign_key.contype = 'f'
        and foreign_key.conparentid = 0
) as foreign_keys
where
    namespace.nspname = any($1)
    and (
        $2::text[] is null
        or class.relname = any($2)
        or namespace.nspname || '.' || class.relname = any($2)
    )
    and class.relkind in ('r', 'p')
    and not class.relispartition
order by namespace.nspname, class.relname
