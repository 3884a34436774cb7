-- The foreign keys between models' tables that no scan has validated yet, those
-- of large tables first. $1: the models' names.
select
    own.relname as model,
    foreign_key.conname as constraint_name,
    referring.attname as column_name,
    target.relname as dimension,
    referred.attname as dimension_key
from pg_constraint as foreign_key
inner join pg_class as own on foreign_key.conrelid = own.oid
inner join pg_class as target on foreign_key.confrelid = target.oid
inner join pg_attribute as referring
    on
        foreign_key.conrelid = referring.attrelid
        and referring.attnum = foreign_key.conkey[1]
inner join pg_attribute as referred
    on
        foreign_key.confrelid = referred.attrelid
        and referred.attnum = foreign_key.confkey[1]
where
    foreign_key.contype = 'f'
    and not foreign_key.convalidated
    -- Since PostgreSQL 18 it may be switched off.
    and coalesce(to_jsonb(foreign_key) ->> 'conenforced', 'true') = 'true'
    and foreign_key.conparentid = 0
    and array_length(foreign_key.conkey, 1) = 1
    and own.oid = any(
        array(
            select to_regclass(quote_ident(given.name))
            from unnest(cast($1 as text[])) as given (name)
        )
    )
    and target.oid = any(
        array(
            select to_regclass(quote_ident(given.name))
            from unnest(cast($1 as text[])) as given (name)
        )
    )
order by own.relpages desc, own.relname, foreign_key.conname
