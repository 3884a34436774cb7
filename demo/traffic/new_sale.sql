-- A sales order with its transaction and payment, unless the week has enough.
with new_order as (
    insert into sales_order
    select
        nextval('demo_traffic.sales_order_id'),
        placed_at,
        demo_traffic.stamp(),
        demo_traffic.some_design($1),
        demo_traffic.some_staff($1, 'Sales'),
        demo_traffic.some_counterparty($1),
        1000 + demo_traffic.draw($1, 'units', 99001),
        (200 + demo_traffic.draw($1, 'price', 300)) * 0.01,
        (array[1, 1, 1, 1, 1, 2, 2, 2, 3, 3])[
            1 + demo_traffic.draw($1, 'currency', 10)
        ],
        to_char(
            placed_at
                + (1 + demo_traffic.draw($1, 'delivery', 7)) * interval '1 day',
            'YYYY-MM-DD'
        ),
        to_char(
            placed_at + demo_traffic.draw($1, 'due', 7) * interval '1 day',
            'YYYY-MM-DD'
        ),
        demo_traffic.some_address($1)
    from demo_traffic.placed_at($1) as placed_at
    where demo_traffic.wants_sales()
    returning *
),

new_transaction as (
    insert into transaction
    select
        nextval('demo_traffic.transaction_id'),
        'SALE',
        sales_order_id,
        null,
        created_at,
        last_updated
    from new_order
    returning *
),

new_payment as (
    insert into payment
    select
        nextval('demo_traffic.payment_id'),
        new_order.created_at,
        new_order.last_updated,
        new_transaction.transaction_id,
        new_order.counterparty_id,
        new_order.units_sold * new_order.unit_price,
        new_order.currency_id,
        1,
        false,
        new_order.agreed_payment_date,
        10000000 + demo_traffic.draw($1, 'company account', 90000000),
        10000000 + demo_traffic.draw($1, 'other account', 90000000)
    from new_order
    cross join new_transaction
    returning *
)

select 'sales_order' as table_name, count(*)::integer as row_count
from new_order
union all
select 'transaction', count(*)::integer from new_transaction
union all
select 'payment', count(*)::integer from new_payment
