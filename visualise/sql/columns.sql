-- The columns of tables ($1), in order, each with its type and, if it refers to
-- another table, with that table.
select
    pg_class.relname as model,
    pg_attribute.attname as name,
    format_type(pg_attribute.atttypid, null) as type,
    (
        select referred.relname
        from pg_constraint
        inner join pg_class as referred
            on referred.oid = pg_constraint.confrelid
        where
            pg_constraint.contype = 'f'
            and pg_constraint.conrelid = pg_attribute.attrelid
            and pg_constraint.conkey = array[pg_attribute.attnum]
        order by pg_constraint.oid
        limit 1
    ) as refers_to
from pg_class
inner join pg_attribute
    on pg_class.oid = pg_attribute.attrelid
where
    pg_class.oid in (
        select to_regclass(quote_ident(name))
        from unnest($1::text []) as models (name)
    )
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
order by pg_class.relname, pg_attribute.attnum
