-- Of one payment at most one version holds at any moment.
--
-- Severity: error
-- Why: a version that overlaps its successor, or an open one that has a
-- successor, would count the payment twice.
-- Only keys with a closed version are looked at: two open ones of a key are
-- kept out by a unique index.

with closed as (
    select payment_id
    from checked_fact_payment
    where to_batch is not null
),

versions as (
    select
        payment_id,
        from_batch,
        to_batch,
        valid_to,
        lead(from_batch) over successors as next_from_batch,
        lead(valid_from) over successors as next_valid_from
    from checked_fact_payment
    where payment_id in (select payment_id from closed)
    window successors as (partition by payment_id order by from_batch)
)

select
    cast(payment_id as text) as key,
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
