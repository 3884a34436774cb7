-- Purchases by month and currency, as of a batch: $1.
select
    to_char(orders.created_date, 'YYYY-MM') as month,
    currencies.currency_code as currency,
    count(*) as orders,
    sum(orders.item_quantity) as units,
    sum(orders.item_quantity * orders.item_unit_price) as value
from fact_purchase_order_as_of_batch($1) as orders
inner join dim_currency_as_of_batch($1) as currencies
    on orders.currency_id = currencies.currency_id
group by month, currency
order by month, currency
