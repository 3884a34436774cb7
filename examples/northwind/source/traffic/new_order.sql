-- A customer's order of the last four weeks is entered, with one to four
-- products, unless these have enough.
with new_order as (
    insert into northwind.orders
    select
        nextval('demo_traffic.order_id'),
        customer_id,
        1 + demo_traffic.draw($1, 'seller', 9),
        current_date - demo_traffic.draw($1, 'day', 28),
        current_date - demo_traffic.draw($1, 'day', 28) + 28,
        null,
        1 + demo_traffic.draw($1, 'shipper', 3),
        demo_traffic.draw($1, 'freight', 20000) * 0.01,
        company_name,
        address,
        city,
        region,
        postal_code,
        country
    from northwind.customers
    where demo_traffic.wants_orders()
    order by customer_id
    offset demo_traffic.draw(
        $1, 'buyer', (select count(*) from northwind.customers)
    )
    limit 1
    returning order_id
),

new_line as (
    insert into northwind.order_details
    select
        order_id,
        product_id,
        unit_price,
        1 + demo_traffic.draw($1, 'quantity ' || line, 60),
        demo_traffic.draw($1, 'discount ' || line, 6) * 0.05
    from new_order
    cross join generate_series(0, demo_traffic.draw($1, 'lines', 4)) as lines (
        line
    )
    inner join northwind.products
        on products.product_id = 1 + (
            demo_traffic.draw($1, 'product', 77) + 19 * line
        ) % 77
    returning order_id
)

select 'orders' as table_name, count(*)::integer as row_count
from new_order
union all
select 'order_details' as table_name, count(*)::integer as row_count
from new_line
