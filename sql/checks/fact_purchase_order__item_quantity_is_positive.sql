-- A purchase order buys something.
--
-- Severity: warning
-- Why: none or less than none is a slip of entry, and lowers the totals.

select
    cast(purchase_order_id as text) as key,
    format('item_quantity is %s', item_quantity) as finding
from checked_fact_purchase_order
where to_batch is null
    and item_quantity <= 0
