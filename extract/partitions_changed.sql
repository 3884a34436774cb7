-- Whether a table has other partitions now than in this transaction's
-- snapshot. One whose concurrent detaching was begun is none: no query reads
-- it, also if that was interrupted and never finished. $1: the table.
with recursive before as (
    select inheritance.inhrelid as oid
    from pg_inherits as inheritance
    where
        inheritance.inhparent = to_regclass($1)
        and not inheritance.inhdetachpending
    union all
    select inheritance.inhrelid as oid
    from before
    inner join pg_inherits as inheritance
        on before.oid = inheritance.inhparent
    where not inheritance.inhdetachpending
),

now as (
    select tree.relid::oid as oid
    from pg_catalog.pg_partition_tree(to_regclass($1)) as tree
    where tree.level > 0
)

select exists (
    select
    from before
    full outer join now
        on before.oid = now.oid
    where before.oid is null or now.oid is null
)::text as changed
