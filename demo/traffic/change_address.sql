-- An address gets a new telephone number.
with chosen as (
    select address_id
    from address
    where address_id = demo_traffic.some_address($1)
    for update skip locked
),

changed as (
    update address
    set
        phone = lpad(demo_traffic.draw($1, 'area code', 10000)::text, 4, '0')
            || ' '
            || lpad(demo_traffic.draw($1, 'phone', 1000000)::text, 6, '0'),
        last_updated = demo_traffic.stamp()
    from chosen
    where address.address_id = chosen.address_id
    returning address.address_id
)

select 'address' as table_name, count(*)::integer as row_count from changed
