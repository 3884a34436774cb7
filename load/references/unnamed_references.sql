-- The foreign keys between models' tables that load has made for headers which
-- no longer name them; others' have a name or an action of their own, or come
-- from a migration. $1: the models whose foreign keys only headers declare;
-- $2: all models; $3: model, column and dimension of each reference, as JSON.

select
    own.relname as model,
    foreign_key.conname as constraint_name,
    referring.attname as column_name,
    target.relname as dimension
from unnest(cast($1 as text[])) as given (name)
inner join pg_class as own on own.oid = to_regclass(quote_ident(given.name))
inner join pg_constraint as foreign_key on own.oid = foreign_key.conrelid
inner join pg_class as target on foreign_key.confrelid = target.oid
inner join pg_attribute as referring
    on
        foreign_key.conrelid = referring.attrelid
        and referring.attnum = foreign_key.conkey[1]
where
    foreign_key.contype = 'f'
    and foreign_key.conparentid = 0
    and array_length(foreign_key.conkey, 1) = 1
    and foreign_key.conname ~ '_fkey\d*$'
    and foreign_key.confdeltype = 'a'
    and foreign_key.confupdtype = 'a'
    and not foreign_key.condeferrable
    and target.oid = any(
        array(
            select to_regclass(quote_ident(model.name))
            from unnest(cast($2 as text[])) as model (name)
        )
    )
    and not exists (
        select
        from jsonb_to_recordset(cast($3 as jsonb)) as named (
            model text,
            column_name text,
            dimension text
        )
        where
            named.model = own.relname
            and named.column_name = referring.attname
            and named.dimension = target.relname
    )
order by own.relname, foreign_key.conname
