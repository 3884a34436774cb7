-- Sales by the country that is delivered to, by currency, as of a batch ($1),
-- of orders from a month ($2) to a month ($3), where these are given.
select
    places.country,
    currencies.currency_code as currency,
    count(*) as orders,
    sum(orders.units_sold) as units,
    sum(orders.units_sold * orders.unit_price) as value
from fact_sales_order_as_of_batch($1) as orders
inner join dim_location_as_of_batch($1) as places
    on orders.agreed_delivery_location_id = places.location_id
inner join dim_currency_as_of_batch($1) as currencies
    on orders.currency_id = currencies.currency_id
where
    ($2::text is null or orders.created_date >= cast($2 || '-01' as date))
    and (
        $3::text is null
        or orders.created_date < cast($3 || '-01' as date) + interval '1 month'
    )
group by places.country, currency
order by value desc
limit 60
