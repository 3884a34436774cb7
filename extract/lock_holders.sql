-- Sessions that hold, or wait for, a lock that excludes readers, on a table or
-- one of its indexes; and prepared transactions, which have no session, with
-- their id as a text of SQL. $1: schemas; $2: names of tables; $3: what
-- the contract calls them.
with recursive parts as (
    select
        class.oid,
        wanted.called as name
    from pg_class as class
    inner join pg_namespace as namespace
        on class.relnamespace = namespace.oid
    inner join unnest($1::text[], $2::text[], $3::text[])
        as wanted (schema_name, name, called)
        on
            namespace.nspname = wanted.schema_name
            and class.relname = wanted.name
    union all
    select
        inheritance.inhrelid as oid,
        parts.name
    from parts
    inner join pg_inherits as inheritance
        on parts.oid = inheritance.inhparent
),

-- Only its lock on its own id shows which locks a prepared transaction has.
prepared as (
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
    parts.name,
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
inner join parts
    on coalesce(index.indrelid, lock.relation) = parts.oid
left join pg_stat_activity as activity
    on lock.pid = activity.pid
left join prepared
    on
        lock.pid is null
        and lock.virtualtransaction = prepared.virtualtransaction
where
    lock.mode = 'AccessExclusiveLock'
    and lock.database = (
        select database.oid
        from pg_database as database
        where database.datname = current_database()
    )
order by lock.granted desc, parts.name
