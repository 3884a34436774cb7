-- A line has at least one piece.
--
-- Severity: warning
-- Why: Northwind's orders contain no returns; credits are separate documents.

select
    format('%s, %s', order_id, product_id) as key,
    format('quantity is %s', quantity) as finding
from checked_fact_order_line
where to_batch is null
    and quantity <= 0
