-- The locks that others hold on what a load writes: the tables and views of
-- models and the pipeline's own tables. $1: the models' names.

-- Only its lock on its own id shows which locks a prepared transaction has.
with prepared as (
    select
        own.virtualtransaction,
        xact.gid,
        xact.owner,
        xact.prepared as since
    from pg_prepared_xacts as xact
    inner join pg_locks as own
        on xact.transaction = own.transactionid
    where
        own.pid is null
        and own.mode = 'ExclusiveLock'
)

select
    cast(cast(relation.oid as regclass) as text) as name,
    coalesce(
        'prepared transaction "' || prepared.gid || '" of ' || prepared.owner
        || ' since ' || date_trunc('second', prepared.since),
        'process ' || lock.pid || ' of ' || coalesce(
            activity.usename || coalesce(
                ' (' || nullif(activity.application_name, '') || ')', ''
            ),
            'an unseen user'
        )
        || coalesce(' since ' || date_trunc('second', activity.xact_start), '')
    ) as holder,
    quote_literal(prepared.gid) as gid,
    -- The others exclude only what changes a table.
    lock.mode not in (
        'AccessShareLock', 'RowShareLock', 'RowExclusiveLock'
    ) as excludes_writers
from pg_locks as lock
left join pg_index as index
    on lock.relation = index.indexrelid
inner join pg_class as relation
    on coalesce(index.indrelid, lock.relation) = relation.oid
left join pg_stat_activity as activity
    on lock.pid = activity.pid
left join prepared
    on
        lock.pid is null
        and lock.virtualtransaction = prepared.virtualtransaction
where
    lock.granted
    and lock.pid is distinct from pg_backend_pid()
    and lock.database = (
        select database.oid
        from pg_database as database
        where database.datname = current_database()
    )
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
group by relation.oid, holder, gid, excludes_writers
order by excludes_writers desc, relation.oid, holder
