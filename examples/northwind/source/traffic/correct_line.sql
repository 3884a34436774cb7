-- The quantity of a line is corrected.
with chosen as (
    select
        order_id,
        product_id
    from northwind.order_details
    where order_id = demo_traffic.some_order($1)
    order by product_id
    limit 1
    for update skip locked
),

corrected as (
    update northwind.order_details
    set quantity = 1 + demo_traffic.draw($1, 'quantity', 60)
    from chosen
    where order_details.order_id = chosen.order_id
        and order_details.product_id = chosen.product_id
    returning order_details.order_id
)

select 'order_details' as table_name, count(*)::integer as row_count
from corrected
