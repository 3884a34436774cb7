-- A version of a purchase order ends, in batches and in time, after it starts.
--
-- Severity: error
-- Why: an interval that is empty or runs backwards holds at no moment, so the
-- version would be in the history and in no state of it.

select
    cast(purchase_order_id as text) as key,
    format(
        'holds from batch %s, %s to batch %s, %s',
        from_batch,
        valid_from,
        coalesce(cast(to_batch as text), 'null'),
        coalesce(cast(valid_to as text), 'null')
    ) as finding
from checked_fact_purchase_order
where from_batch >= to_batch
    or valid_from >= valid_to
    or (to_batch is null) <> (valid_to is null)
