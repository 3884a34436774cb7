-- Sales by the country that is delivered to, by currency, as of a batch ($1),
-- of orders from a month ($2) to a month ($3), where these are given.
with

-- By ids first: names are joined to few rows then.
totals as (
    select
        agreed_delivery_location_id,
        currency_id,
        count(*) as orders,
        sum(units_sold) as units,
        sum(units_sold * unit_price) as value
    from fact_sales_order_as_of_batch($1)
    where
        ($2::text is null or created_date >= cast($2 || '-01' as date))
        and (
            $3::text is null
            or created_date < cast($3 || '-01' as date) + interval '1 month'
        )
    group by agreed_delivery_location_id, currency_id
)

select
    places.country,
    currencies.currency_code as currency,
    sum(totals.orders) as orders,
    sum(totals.units) as units,
    sum(totals.value) as value
from totals
inner join dim_location_as_of_batch($1) as places
    on totals.agreed_delivery_location_id = places.location_id
inner join dim_currency_as_of_batch($1) as currencies
    on totals.currency_id = currencies.currency_id
group by places.country, currency
order by value desc
limit 60
