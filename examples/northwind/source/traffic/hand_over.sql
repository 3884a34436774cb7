-- A territory is covered by another employee from now on.
with handed_over as (
    update northwind.employee_territories
    set employee_id = 1 + demo_traffic.draw($1, 'employee', 9)
    where territory_id = lpad(
        (1017 + 17 * demo_traffic.draw($1, 'territory', 48))::text, 5, '0'
    )
    returning territory_id
)

select 'employee_territories' as table_name, count(*)::integer as row_count
from handed_over
