-- A sales order sells something.
--
-- Severity: warning
-- Why: zero or a negative number is a typing error, and lowers the totals.

select
    cast(sales_order_id as text) as key,
    format('units_sold is %s', units_sold) as finding
from checked_fact_sales_order
where to_batch is null
    and units_sold <= 0
