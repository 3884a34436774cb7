-- A product gets a new price.
with repriced as (
    update northwind.products
    set unit_price = (250 + demo_traffic.draw($1, 'price', 9750)) * 0.01
    where product_id = 1 + demo_traffic.draw($1, 'product', 77)
    returning product_id
)

select 'products' as table_name, count(*)::integer as row_count
from repriced
