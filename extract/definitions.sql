-- The catalogue entries that decide, beside the rows themselves, how the values
-- of columns are printed: `kind` says how far a change in one can be seen.
-- $1: schemas; $2: names of tables; $3: what to call them; $4: whether to read
-- the expressions of columns, which waits while somebody has locked the table.
with recursive columns (
    table_name, relation, column_name, number, type, is_generated
) as (
    select
        wanted.called,
        class.oid,
        attribute.attname,
        attribute.attnum,
        attribute.atttypid,
        attribute.attgenerated = 'v' and $4::boolean
    from pg_class as class
    inner join pg_namespace as namespace
        on class.relnamespace = namespace.oid
    inner join unnest($1::text[], $2::text[], $3::text[])
        as wanted (schema_name, name, called)
        on
            namespace.nspname = wanted.schema_name
            and class.relname = wanted.name
    inner join pg_attribute as attribute
        on class.oid = attribute.attrelid
    where
        attribute.attnum > 0
        and not attribute.attisdropped
),

-- The types that a column's type is made of, itself included.
parts (table_name, column_name, type, is_own) as (
    select table_name, column_name, type, true
    from columns
    union
    select
        parts.table_name,
        parts.column_name,
        inner_type.type,
        parts.is_own and inner_type.is_base
    from parts
    inner join pg_type as outer_type
        on parts.type = outer_type.oid
    cross join lateral (
        select outer_type.typbasetype as type, true as is_base
        where outer_type.typtype = 'd'
        union all
        select outer_type.typelem, false
        where outer_type.typelem <> 0
        union all
        select span.rngsubtype, false
        from pg_range as span
        where outer_type.oid in (span.rngtypid, span.rngmultitypid)
        union all
        select attribute.atttypid, false
        from pg_attribute as attribute
        where
            outer_type.typtype = 'c'
            and attribute.attrelid = outer_type.typrelid
            and attribute.attnum > 0
            and not attribute.attisdropped
    ) as inner_type
),

found (table_name, column_name, kind, definition) as (
    -- Adding a label changes no value.
    select
        parts.table_name,
        parts.column_name,
        'label',
        label.oid || ' ' || left(md5(label.enumlabel), 16)
    from parts
    inner join pg_enum as label
        on parts.type = label.enumtypid
    union all
    select
        parts.table_name,
        parts.column_name,
        'attributes',
        type.oid || ' ' || (
            select
                string_agg(
                    attribute.attnum || ':' || attribute.atttypid,
                    ' '
                    order by attribute.attnum
                )
            from pg_attribute as attribute
            where
                attribute.attrelid = type.typrelid
                and attribute.attnum > 0
                and not attribute.attisdropped
        )
    from parts
    inner join pg_type as type
        on parts.type = type.oid
    where type.typtype = 'c'
    union all
    -- Types that print names of objects, which any DDL may change.
    select
        parts.table_name,
        parts.column_name,
        'names',
        pg_catalog.format_type(type.oid, null)
    from parts
    inner join pg_type as type
        on parts.type = type.oid
    where
        type.typnamespace = 'pg_catalog'::regnamespace
        and type.typelem = 0
        and (type.typname like 'reg%' or type.typname = 'aclitem')
    union all
    -- lc_monetary prints it; sessions have pinned it since this was kept.
    select
        parts.table_name,
        parts.column_name,
        'setting',
        'lc_monetary'
    from parts
    where parts.type = 'money'::regtype
    union all
    -- User-defined casts to text; those in C come with the type.
    select
        parts.table_name,
        parts.column_name,
        case when routine.provolatile = 'i' then 'cast' else 'names' end,
        case
            when routine.provolatile = 'i'
                then routine.oid || ' ' || left(md5(coalesce(
                    pg_get_function_sqlbody(routine.oid), routine.prosrc
                )), 16)
            else pg_catalog.format_type(parts.type, null)
                || ', cast to text by ' || routine.oid::regprocedure
        end
    from parts
    inner join pg_cast as own_cast
        on
            parts.type = own_cast.castsource
            and own_cast.casttarget = 'text'::regtype
    inner join pg_proc as routine
        on own_cast.castfunc = routine.oid
    inner join pg_language as language
        on routine.prolang = language.oid
    where
        parts.is_own
        and language.lanname not in ('internal', 'c')
    union all
    -- PostgreSQL 18 computes virtual columns when they are read.
    select
        columns.table_name,
        columns.column_name,
        'expression',
        tree.relation || ' '
        || left(md5(pg_get_expr(expression.adbin, expression.adrelid)), 16)
    from columns
    -- pg_partition_tree() would wait for a partition that is newer than this
    -- transaction's snapshot, and so is not locked.
    cross join lateral (
        with recursive branches as (
            select columns.relation as relation
            union all
            select inheritance.inhrelid as relation
            from branches
            inner join pg_inherits as inheritance
                on branches.relation = inheritance.inhparent
            inner join pg_class as part
                on inheritance.inhrelid = part.oid
            -- Other tables that inherit from one are not locked with it.
            where part.relispartition and not inheritance.inhdetachpending
        )

        select branches.relation from branches
    ) as tree (relation)
    inner join pg_attribute as attribute
        on
            tree.relation = attribute.attrelid
            and columns.column_name = attribute.attname
    inner join pg_attrdef as expression
        on
            tree.relation = expression.adrelid
            and attribute.attnum = expression.adnum
    where columns.is_generated
)

select
    table_name,
    column_name,
    kind,
    definition
from found
group by
    table_name,
    column_name,
    kind,
    definition
order by
    table_name,
    column_name,
    kind,
    definition
