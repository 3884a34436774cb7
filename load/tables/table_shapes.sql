-- The columns that identify the rows of models' tables, for those that exist.
-- $1: the models' names.

select
    given.name,
    cast(to_regclass(quote_ident(given.name || '_closed')) as text) as closed,
    (
        select
            case pg_class.relkind
                when 'v' then 'a view'
                when 'm' then 'a materialized view'
                when 'f' then 'a foreign table'
            end
        from pg_class
        where pg_class.oid = own.id
    ) as no_table,
    (
        select cast(json_agg(pg_attribute.attname) as text)
        from pg_attribute
        where pg_attribute.attrelid = own.id
            and pg_attribute.attnum > 0
            and not pg_attribute.attisdropped
    ) as columns,
    (
        select cast(json_agg(indexes.columns) as text)
        from (
            select (
                select json_agg(pg_attribute.attname)
                from unnest(pg_index.indkey) with ordinality
                    as parts (number, place)
                inner join pg_attribute
                    on pg_attribute.attrelid = own.id
                    and pg_attribute.attnum = parts.number
                where parts.place <= pg_index.indnkeyatts
            ) as columns
            from pg_index
            where pg_index.indrelid = own.id
                and pg_index.indisunique
                and pg_index.indimmediate
                and pg_index.indisvalid
                and pg_index.indpred is null
                and pg_index.indexprs is null
        ) as indexes
    ) as unique_columns
from unnest(cast($1 as text[])) as given (name)
cross join lateral (
    select to_regclass(quote_ident(given.name)) as id
) as own
where own.id is not null
