-- One of the orders that have waited longest is shipped.
with chosen as (
    select order_id
    from northwind.orders
    where shipped_date is null
    order by order_id
    offset demo_traffic.draw($1, 'waiting', 5)
    limit 1
    for update skip locked
),

shipped as (
    update northwind.orders
    set shipped_date = current_date
    from chosen
    where orders.order_id = chosen.order_id
    returning orders.order_id
)

select 'orders' as table_name, count(*)::integer as row_count
from shipped
