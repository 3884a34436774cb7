-- One of the newest orders is cancelled; its lines go with it.
with chosen as (
    select order_id
    from northwind.orders
    where order_date >= current_date - 28
    order by order_id desc
    offset demo_traffic.draw($1, 'order', (
        select orders from demo_traffic.pace
    ))
    limit 1
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
