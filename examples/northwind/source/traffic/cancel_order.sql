-- An order is cancelled; its lines go with it.
with chosen as (
    select order_id
    from northwind.orders
    where order_id = demo_traffic.some_order($1)
    for update skip locked
),

lines as (
    select count(*) as line_count
    from northwind.order_details
    inner join chosen
        on chosen.order_id = order_details.order_id
),

deleted as (
    delete from northwind.orders
    using chosen
    where orders.order_id = chosen.order_id
    returning orders.order_id
)

select 'orders' as table_name, count(*)::integer as row_count
from deleted
union all
select 'order_details' as table_name, line_count::integer as row_count
from lines
