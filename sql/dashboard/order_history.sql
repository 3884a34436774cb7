-- Every version of one sales order: $1.
select
    orders.from_batch,
    orders.valid_from,
    orders.valid_to,
    orders.units_sold,
    orders.unit_price,
    orders.agreed_delivery_date,
    orders.agreed_payment_date
from fact_sales_order_history as orders
where orders.sales_order_id = $1
order by orders.from_batch
