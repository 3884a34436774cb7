-- The designs that most was sold of, by currency, as of a batch ($1), of orders
-- from a month ($2) to a month ($3), where these are given.
with

-- By ids first: names are joined to few rows then.
totals as (
    select
        design_id,
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
    group by design_id, currency_id
)

select
    designs.design_name as design,
    currencies.currency_code as currency,
    sum(totals.orders) as orders,
    sum(totals.units) as units,
    sum(totals.value) as value
from totals
inner join dim_design_as_of_batch($1) as designs
    on totals.design_id = designs.design_id
inner join dim_currency_as_of_batch($1) as currencies
    on totals.currency_id = currencies.currency_id
group by design, currency
order by value desc
limit 60
