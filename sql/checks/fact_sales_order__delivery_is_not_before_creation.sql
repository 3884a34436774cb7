-- A sales order is not to be delivered before it was made.
--
-- Severity: warning
-- Why: delivery times would come out negative; most often a mistyped year.

select
    cast(sales_order_id as text) as key,
    format(
        'agreed_delivery_date is %s, created_date is %s',
        agreed_delivery_date,
        created_date
    ) as finding
from checked_fact_sales_order
where to_batch is null
    and agreed_delivery_date < created_date
