-- Purchase orders as of a batch ($1), filtered if given by month ($2), first
-- day ($3), last day ($4), currency ($5), counterparty ($6), country ($7),
-- member of staff ($8) and department ($9). At most $10, the newest first.
with

named as (
    select
        orders.purchase_order_id,
        orders.created_date,
        coalesce(parties.counterparty_legal_name, 'unknown') as counterparty,
        coalesce(people.first_name || ' ' || people.last_name, 'unknown')
            as staff,
        coalesce(people.department_name, 'unknown') as department,
        coalesce(places.country, 'unknown') as country,
        orders.item_code,
        coalesce(currencies.currency_code, 'unknown') as currency,
        orders.item_quantity as units,
        orders.item_unit_price as unit_price,
        orders.item_quantity * orders.item_unit_price as value
    from fact_purchase_order_as_of_batch($1) as orders
    left join dim_counterparty_as_of_batch($1) as parties
        on orders.counterparty_id = parties.counterparty_id
    left join dim_staff_as_of_batch($1) as people
        on orders.staff_id = people.staff_id
    left join dim_location_as_of_batch($1) as places
        on orders.agreed_delivery_location_id = places.location_id
    left join dim_currency_as_of_batch($1) as currencies
        on orders.currency_id = currencies.currency_id
)

select
    *,
    count(*) over () as matching
from named
where
    ($2::text is null or to_char(created_date, 'YYYY-MM') = $2)
    and ($3::text is null or created_date >= cast($3 as date))
    and ($4::text is null or created_date <= cast($4 as date))
    and ($5::text is null or currency = $5)
    and ($6::text is null or counterparty = $6)
    and ($7::text is null or country = $7)
    and ($8::text is null or staff = $8)
    and ($9::text is null or department = $9)
order by created_date desc, purchase_order_id desc
limit $10
