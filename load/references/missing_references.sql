-- The foreign keys that headers declare and tables lack. $1: model, column and
-- dimension of each, as JSON; $2: whether also those of tables and columns that
-- are not there yet.

select
    given.model,
    given.column_name,
    given.dimension,
    given.dimension_key,
    cast(coalesce(pg_class.relkind = 'p', false) as text) as is_partitioned
from jsonb_to_recordset(cast($1 as jsonb)) as given (
    model text,
    column_name text,
    dimension text,
    dimension_key text
)
left join pg_attribute
    on pg_attribute.attrelid = to_regclass(quote_ident(given.model))
    and pg_attribute.attname = given.column_name
left join pg_class on pg_attribute.attrelid = pg_class.oid
where (
    cast($2 as boolean)
    or pg_attribute.attrelid is not null
    and to_regclass(quote_ident(given.dimension)) is not null
)
    and not exists (
        select
        from pg_constraint
        where pg_constraint.contype = 'f'
            and pg_constraint.conrelid = pg_attribute.attrelid
            and pg_constraint.conkey = array[pg_attribute.attnum]
            and pg_constraint.confrelid
            = to_regclass(quote_ident(given.dimension))
    )
order by given.model, given.column_name
