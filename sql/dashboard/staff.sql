-- Sales by department and member of staff, by currency, as of a batch ($1), of
-- orders from a month ($2) to a month ($3), where these are given.
select
    people.department_name as department,
    people.first_name || ' ' || people.last_name as staff,
    currencies.currency_code as currency,
    count(*) as orders,
    sum(orders.units_sold * orders.unit_price) as value
from fact_sales_order_as_of_batch($1) as orders
inner join dim_staff_as_of_batch($1) as people
    on orders.sales_staff_id = people.staff_id
inner join dim_currency_as_of_batch($1) as currencies
    on orders.currency_id = currencies.currency_id
where
    ($2::text is null or orders.created_date >= cast($2 || '-01' as date))
    and (
        $3::text is null
        or orders.created_date < cast($3 || '-01' as date) + interval '1 month'
    )
group by department, staff, currency
order by value desc
limit 60
