-- A purchase order's delivery is not agreed for before its creation.
--
-- Severity: warning
-- Why: delivery times would be negative; usually the year is mistyped.

select
    cast(purchase_order_id as text) as key,
    format(
        'agreed_delivery_date is %s, created_date is %s',
        agreed_delivery_date,
        created_date
    ) as finding
from checked_fact_purchase_order
where to_batch is null
    and agreed_delivery_date < created_date
