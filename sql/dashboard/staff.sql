-- Sales by department and member of staff, by currency, as of a batch ($1), of
-- orders from a month ($2) to a month ($3), where these are given.
with

-- By ids first: names are joined to few rows then.
totals as (
    select
        sales_staff_id,
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
    group by sales_staff_id, currency_id
)

select
    people.department_name as department,
    people.first_name || ' ' || people.last_name as staff,
    currencies.currency_code as currency,
    sum(totals.orders) as orders,
    sum(totals.value) as value
from totals
inner join dim_staff_as_of_batch($1) as people
    on totals.sales_staff_id = people.staff_id
inner join dim_currency_as_of_batch($1) as currencies
    on totals.currency_id = currencies.currency_id
group by department, staff, currency
order by value desc
limit 60
