-- The customer removes one of the products.
with chosen as (
    select
        order_id,
        product_id
    from northwind.order_details
    where order_id = demo_traffic.some_order($1)
    order by product_id desc
    limit 1
    for update skip locked
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
