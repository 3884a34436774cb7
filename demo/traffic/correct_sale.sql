-- A sales order gets a new number of units, date and design.
with chosen as (
    select sales_order_id
    from sales_order
    where sales_order_id >= demo_traffic.draw(
        $1, 'order', (select max(sales_order_id) from sales_order)
    )
    order by sales_order_id
    limit 1
    for update skip locked
),

corrected as (
    update sales_order
    set
        units_sold = 1000 + demo_traffic.draw($1, 'units', 99001),
        agreed_delivery_date = to_char(
            sales_order.created_at + interval '1 day' * (
                1 + demo_traffic.draw($1, 'delivery', 7)
            ),
            'YYYY-MM-DD'
        ),
        design_id = demo_traffic.some_design($1),
        last_updated = demo_traffic.stamp()
    from chosen
    where sales_order.sales_order_id = chosen.sales_order_id
    returning sales_order.sales_order_id
)

select 'sales_order' as table_name, count(*)::integer as row_count
from corrected
