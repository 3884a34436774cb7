-- The foreign keys of one column of these tables, to those that may get a
-- placeholder: others' stand as they are. $1: the names of the tables.
select
    given.name as model,
    foreign_key.conname as constraint_name,
    own.attname as column_name,
    target.relname as dimension,
    other.attname as dimension_key
from unnest($1::text[]) as given (name)
inner join pg_constraint as foreign_key
    on foreign_key.conrelid = to_regclass(quote_ident(given.name))
inner join pg_class as target on foreign_key.confrelid = target.oid
inner join pg_attribute as own
    on
        foreign_key.conrelid = own.attrelid
        and own.attnum = foreign_key.conkey[1]
inner join pg_attribute as other
    on
        foreign_key.confrelid = other.attrelid
        and other.attnum = foreign_key.confkey[1]
where
    foreign_key.contype = 'f'
    and foreign_key.conparentid = 0
    and array_length(foreign_key.conkey, 1) = 1
    and exists (
        select
        from pg_attribute as flag
        where
            flag.attrelid = target.oid
            and flag.attname = 'is_placeholder'
            and not flag.attisdropped
    )
order by given.name, foreign_key.conname
