-- Tables that are no longer those of this transaction's snapshot: truncated,
-- rewritten, or replaced before they were locked. Functions look up the
-- catalogue as of now, not as of the snapshot. $1: schemas; $2: names.
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
    where class.relkind in ('r', 'p')
    union all
    select
        inheritance.inhrelid as oid,
        parts.name
    from parts
    inner join pg_inherits as inheritance
        on parts.oid = inheritance.inhparent
)

select distinct parts.name
from parts
inner join pg_class as class
    on parts.oid = class.oid
inner join pg_namespace as namespace
    on class.relnamespace = namespace.oid
where
    pg_catalog.pg_relation_filenode(class.oid) is distinct from nullif(
        class.relfilenode, 0
    )
    or to_regclass(
        quote_ident(namespace.nspname) || '.' || quote_ident(class.relname)
    ) is distinct from class.oid::regclass
