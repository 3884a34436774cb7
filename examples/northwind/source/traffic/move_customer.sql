-- A customer moves to another street.
with moved as (
    update northwind.customers
    set
        address = (1 + demo_traffic.draw($1, 'house', 200)) || ' Mill Lane',
        postal_code = lpad(
            demo_traffic.draw($1, 'postal code', 99999)::text, 5, '0'
        )
    where customer_id = chr(65 + demo_traffic.draw($1, 'customer', 91) / 26)
        || chr(65 + demo_traffic.draw($1, 'customer', 91) % 26) || 'NWD'
    returning customer_id
)

select 'customers' as table_name, count(*)::integer as row_count
from moved
