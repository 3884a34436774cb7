-- Sessions that hold, or wait for, a lock that excludes readers, on a table or
-- one of its indexes. $1: schemas; $2: names of tables.
with recursive parts as (
    select
        class.oid,
        class.relname as name
    from pg_class as class
    inner join pg_namespace as namespace
        on class.relnamespace = namespace.oid
    inner join unnest($1::text[], $2::text[]) as wanted (schema_name, name)
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
)

select
    parts.name,
    'process ' || lock.pid || ' of ' || coalesce(
        activity.usename || coalesce(
            ' (' || nullif(activity.application_name, '') || ')', ''
        ),
        'an unseen user'
    ) || coalesce(' since ' || date_trunc('second', activity.xact_start), '')
    as holder
from pg_locks as lock
left join pg_index as index
    on lock.relation = index.indexrelid
inner join parts
    on coalesce(index.indrelid, lock.relation) = parts.oid
left join pg_stat_activity as activity
    on lock.pid = activity.pid
where
    lock.mode = 'AccessExclusiveLock'
    and lock.database = (
        select database.oid
        from pg_database as database
        where database.datname = current_database()
    )
order by lock.granted desc, parts.name
