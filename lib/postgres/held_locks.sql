-- The locks that sessions hold, or wait for, on tables or their indexes in this
-- database, and who does; prepared transactions, which have no session, with
-- their id as a text of SQL.
select
    coalesce(index.indrelid, lock.relation) as relation,
    lock.pid,
    lock.mode,
    lock.granted,
    quote_literal(prepared.gid) as prepared,
    case
        when lock.pid is null
            then coalesce(
                'prepared transaction "' || prepared.gid || '" of '
                || prepared.owner || ' since '
                || date_trunc('second', prepared.since),
                'a prepared transaction'
            )
        else
            'process ' || lock.pid || ' of ' || coalesce(
                activity.usename || coalesce(
                    ' (' || nullif(activity.application_name, '') || ')', ''
                ),
                'an unseen user'
            ) || coalesce(
                ' since ' || date_trunc('second', activity.xact_start), ''
            )
    end as holder
from pg_locks as lock
left join pg_index as index
    on lock.relation = index.indexrelid
left join pg_stat_activity as activity
    on lock.pid = activity.pid
-- Only its lock on its own id shows which locks a prepared transaction has.
left join (
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
) as prepared
    on
        lock.pid is null
        and lock.virtualtransaction = prepared.virtualtransaction
where
    lock.relation is not null
    and lock.database = (
        select database.oid
        from pg_database as database
        where database.datname = current_database()
    )
