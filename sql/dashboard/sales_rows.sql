-- Sales orders as of a batch ($1), filtered if given by month ($2), first day
-- ($3), last day ($4), currency ($5), counterparty ($6), country ($7), member
-- of staff ($8), design ($9) and department ($10). At most $11, the newest
-- first.
with

named as (
    select
        orders.sales_order_id,
        orders.created_date,
        coalesce(parties.counterparty_legal_name, 'unknown') as counterparty,
        coalesce(people.first_name || ' ' || people.last_name, 'unknown')
            as staff,
        coalesce(people.department_name, 'unknown') as department,
        coalesce(designs.design_name, 'unknown') as design,
        coalesce(places.country, 'unknown') as country,
        coalesce(currencies.currency_code, 'unknown') as currency,
        orders.units_sold as units,
        orders.unit_price,
        orders.units_sold * orders.unit_price as value
    from fact_sales_order_as_of_batch($1) as orders
    left join dim_counterparty_as_of_batch($1) as parties
        on orders.counterparty_id = parties.counterparty_id
    left join dim_staff_as_of_batch($1) as people
        on orders.sales_staff_id = people.staff_id
    left join dim_design_as_of_batch($1) as designs
        on orders.design_id = designs.design_id
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
    and ($9::text is null or design = $9)
    and ($10::text is null or department = $10)
order by created_date desc, sales_order_id desc
limit $11
