-- One of the orders that have waited longest is shipped, at most three weeks
-- after its day; one of twelve is late.
with chosen as (
    select order_id
    from northwind.orders
    where
        shipped_date is null
        and order_date < current_date - case order_id % 12
            when 0 then 50
            else demo_traffic.draw($1, 'days', 21)
        end
    order by order_id
    offset demo_traffic.draw($1, 'waiting', 5)
    limit 1
    for update skip locked
),

shipped as (
    update northwind.orders
    set shipped_date = least(
        current_date,
        order_date + case orders.order_id % 12
            when 0 then 30
            else 1
        end + demo_traffic.draw($1, 'days', 21)
    )
    from chosen
    where orders.order_id = chosen.order_id
    returning orders.order_id
)

select 'orders' as table_name, count(*)::integer as row_count
from shipped
