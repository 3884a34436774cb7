-- Sales orders as of a batch ($1): where they are given of a month ($2), from a
-- month ($3) to a month ($4), of a currency ($5), a counterparty ($6), a
-- country ($7), a member of staff ($8), a design ($9), a department ($10). The
-- newest, so many: $11.
select
    orders.sales_order_id,
    orders.created_date,
    parties.counterparty_legal_name as counterparty,
    people.first_name || ' ' || people.last_name as staff,
    designs.design_name as design,
    places.country,
    currencies.currency_code as currency,
    orders.units_sold as units,
    orders.unit_price,
    orders.units_sold * orders.unit_price as value,
    count(*) over () as matching
from fact_sales_order_as_of_batch($1) as orders
inner join dim_counterparty_as_of_batch($1) as parties
    on orders.counterparty_id = parties.counterparty_id
inner join dim_staff_as_of_batch($1) as people
    on orders.sales_staff_id = people.staff_id
inner join dim_design_as_of_batch($1) as designs
    on orders.design_id = designs.design_id
inner join dim_location_as_of_batch($1) as places
    on orders.agreed_delivery_location_id = places.location_id
inner join dim_currency_as_of_batch($1) as currencies
    on orders.currency_id = currencies.currency_id
where
    ($2::text is null or to_char(orders.created_date, 'YYYY-MM') = $2)
    and ($3::text is null or orders.created_date >= cast($3 || '-01' as date))
    and (
        $4::text is null
        or orders.created_date < cast($4 || '-01' as date) + interval '1 month'
    )
    and ($5::text is null or currencies.currency_code = $5)
    and ($6::text is null or parties.counterparty_legal_name = $6)
    and ($7::text is null or places.country = $7)
    and (
        $8::text is null
        or people.first_name || ' ' || people.last_name = $8
    )
    and ($9::text is null or designs.design_name = $9)
    and ($10::text is null or people.department_name = $10)
order by orders.created_date desc, orders.sales_order_id desc
limit $11
