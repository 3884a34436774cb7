-- Who holds, or waits for, a lock that excludes readers, of the rows of `held`
-- (lib/postgres/held_locks.sql). $1: schemas; $2: names of tables; $3: what the
-- contract calls them.
select
    parts.name,
    held.prepared,
    held.holder
from held
inner join (
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
    )

    select
        parts.oid,
        parts.name
    from parts
) as parts
    on held.relation = parts.oid
where held.mode = 'AccessExclusiveLock'
order by held.granted desc, parts.name
