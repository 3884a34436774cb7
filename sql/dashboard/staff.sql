-- Sales by department and member of staff, by currency, as of a batch: $1.
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
group by department, staff, currency
order by value desc
limit 60
