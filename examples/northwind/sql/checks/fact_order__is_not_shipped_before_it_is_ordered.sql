-- An order is not shipped before it is ordered.
--
-- Severity: warning
-- Why: delivery times would be negative; usually the year is mistyped.

select
    cast(order_id as text) as key,
    format(
        'shipped_date is %s, order_date is %s', shipped_date, order_date
    ) as finding
from checked_fact_order
where to_batch is null
    and shipped_date < order_date
