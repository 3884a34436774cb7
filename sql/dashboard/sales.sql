-- Sales by month and currency, as of a batch: $1.
select
    to_char(orders.created_date, 'YYYY-MM') as month,
    currencies.currency_code as currency,
    count(*) as orders,
    sum(orders.units_sold) as units,
    sum(orders.units_sold * orders.unit_price) as value
from fact_sales_order_as_of_batch($1) as orders
inner join dim_currency_as_of_batch($1) as currencies
    on orders.currency_id = currencies.currency_id
group by month, currency
order by month, currency
