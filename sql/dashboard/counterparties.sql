-- The counterparties that most was sold to, by currency, as of a batch ($1), of
-- orders from a month ($2) to a month ($3), where these are given.
with

-- By ids first: names are joined to few rows then.
totals as (
    select
        counterparty_id,
        currency_id,
        count(*) as orders,
        sum(units_sold * unit_price) as value
    from fact_sales_order_as_of_batch($1)
    where
        ($2::text is null or created_date >= cast($2 || '-01' as date))
        and (
            $3::text is null
            or created_date < cast($3 || '-01' as date) + interval '1 month'
        )
    group by counterparty_id, currency_id
)

select
    parties.counterparty_legal_name as counterparty,
    parties.counterparty_legal_country as country,
    currencies.currency_code as currency,
    sum(totals.orders) as orders,
    sum(totals.value) as value
from totals
inner join dim_counterparty_as_of_batch($1) as parties
    on totals.counterparty_id = parties.counterparty_id
inner join dim_currency_as_of_batch($1) as currencies
    on totals.currency_id = currencies.currency_id
group by counterparty, country, currency
order by value desc
limit 60
