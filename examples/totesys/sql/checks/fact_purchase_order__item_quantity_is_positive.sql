-- A purchase order buys something.
--
-- Severity: warning
-- Why: zero or a negative number is a typing error, and lowers the totals.

select
    cast(purchase_order_id as text) as key,
    format('item_quantity is %s', item_quantity) as finding
from checked_fact_purchase_order
where to_batch is null
    and item_quantity <= 0
