-- A purchase order gets a new quantity and price.
with chosen as (
    select purchase_order_id
    from purchase_order
    where purchase_order_id >= demo_traffic.draw(
        $1, 'order', (select max(purchase_order_id) from purchase_order)
    )
    order by purchase_order_id
    limit 1
    for update skip locked
),

corrected as (
    update purchase_order
    set
        item_quantity = 1 + demo_traffic.draw($1, 'units', 1000),
        item_unit_price = (100 + demo_traffic.draw($1, 'price', 99900)) * 0.01,
        last_updated = demo_traffic.stamp()
    from chosen
    where purchase_order.purchase_order_id = chosen.purchase_order_id
    returning purchase_order.purchase_order_id
)

select 'purchase_order' as table_name, count(*)::integer as row_count
from corrected
