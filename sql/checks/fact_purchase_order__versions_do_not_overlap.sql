-- Of one purchase order at most one version holds at any moment.
--
-- Severity: error
-- Why: a version that overlaps its successor, or an open one that has a
-- successor, would count the purchase order twice.
-- Only keys with a closed version are looked at: two open ones of a key are
-- kept out by a unique index.

with closed as (
    select purchase_order_id
    from checked_fact_purchase_order
    where to_batch is not null
),

versions as (
    select
        purchase_order_id,
        from_batch,
        to_batch,
        valid_to,
        lead(from_batch) over successors as next_from_batch,
        lead(valid_from) over successors as next_valid_from
    from checked_fact_purchase_order
    where purchase_order_id in (select purchase_order_id from closed)
    window successors as (partition by purchase_order_id order by from_batch)
)

select
    cast(purchase_order_id as text) as key,
    format(
        'the version of batch %s ends at %s, its successor is of batch %s',
        from_batch,
        coalesce('batch ' || to_batch, 'no batch'),
        next_from_batch
    ) as finding
from versions
where next_from_batch is not null
    and (
        to_batch is null
        or valid_to is null
        or to_batch > next_from_batch
        or valid_to > next_valid_from
    )
