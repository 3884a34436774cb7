-- The customer removes one of several products from one of the newest orders:
-- older ones keep what they have.
with recent as (
    select order_id
    from northwind.orders
    where order_date >= current_date - 28
    order by order_id desc
    limit (
        select orders from demo_traffic.pace
    )
),

chosen as (
    select
        order_details.order_id,
        max(order_details.product_id) as product_id
    from northwind.order_details
    inner join recent
        on order_details.order_id = recent.order_id
    group by order_details.order_id
    having count(*) > 1
    order by order_details.order_id
    offset demo_traffic.draw($1, 'order', (
        select count(*) from recent
    ))
    limit 1
),

deleted as (
    delete from northwind.order_details
    using chosen
    where order_details.order_id = chosen.order_id
        and order_details.product_id = chosen.product_id
    returning order_details.order_id
)

select 'order_details' as table_name, count(*)::integer as row_count
from deleted
