-- The counterparties that most was sold to, by currency, as of a batch: $1.
select
    parties.counterparty_legal_name as counterparty,
    parties.counterparty_legal_country as country,
    currencies.currency_code as currency,
    count(*) as orders,
    sum(orders.units_sold * orders.unit_price) as value
from fact_sales_order_as_of_batch($1) as orders
inner join dim_counterparty_as_of_batch($1) as parties
    on orders.counterparty_id = parties.counterparty_id
inner join dim_currency_as_of_batch($1) as currencies
    on orders.currency_id = currencies.currency_id
group by counterparty, country, currency
order by value desc
limit 60
