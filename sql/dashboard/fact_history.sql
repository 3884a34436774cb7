-- Every version of one fact ($1: sales order, purchase order or payment) by its
-- key: $2.
select
    from_batch,
    to_batch,
    valid_from,
    valid_to,
    to_jsonb(versions) as version
from fact_sales_order_history as versions
where $1 = 'sales order' and sales_order_id = $2
union all
select
    from_batch,
    to_batch,
    valid_from,
    valid_to,
    to_jsonb(versions) as version
from fact_purchase_order_history as versions
where $1 = 'purchase order' and purchase_order_id = $2
union all
select
    from_batch,
    to_batch,
    valid_from,
    valid_to,
    to_jsonb(versions) as version
from fact_payment_history as versions
where $1 = 'payment' and payment_id = $2
order by from_batch
