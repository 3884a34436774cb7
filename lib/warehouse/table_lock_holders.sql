-- The locks that others hold on what a load writes, of the rows of `held`
-- (lib/postgres/held_locks.sql): on the tables and views of models and the
-- pipeline's own tables. $1: the models' names.
select
    cast(cast(relation.oid as regclass) as text) as name,
    held.holder,
    held.prepared,
    -- The others exclude only what changes a table.
    held.mode not in (
        'AccessShareLock', 'RowShareLock', 'RowExclusiveLock'
    ) as excludes_writers
from held
inner join pg_class as relation
    on held.relation = relation.oid
where
    held.granted
    and held.pid is distinct from pg_backend_pid()
    and (
        relation.relnamespace = to_regnamespace('pipeline')
        or relation.oid = any(
            array(
                select to_regclass(quote_ident(given.name || suffixes.suffix))
                from unnest(cast($1 as text[])) as given (name)
                cross join (
                    values (''), ('_closed'), ('_current'), ('_history')
                ) as suffixes (suffix)
            )
        )
    )
group by relation.oid, held.holder, held.prepared, excludes_writers
order by excludes_writers desc, relation.oid, held.holder
