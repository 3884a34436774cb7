-- Sales by month and currency, as of a batch: $1.
with

-- By day first: months are written for few rows then.
days as (
    select
        created_date,
        currency_id,
        count(*) as orders,
        sum(units_sold) as units,
        sum(units_sold * unit_price) as value
    from fact_sales_order_as_of_batch($1)
    group by created_date, currency_id
)

select
    to_char(days.created_date, 'YYYY-MM') as month,
    currencies.currency_code as currency,
    sum(days.orders) as orders,
    sum(days.units) as units,
    sum(days.value) as value
from days
inner join dim_currency_as_of_batch($1) as currencies
    on days.currency_id = currencies.currency_id
group by month, currency
order by month, currency
