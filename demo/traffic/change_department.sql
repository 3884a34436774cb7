-- A department moves to another town.
with chosen as (
    select department_id
    from department
    order by
        demo_traffic.draw($1 + department_id, 'department', 1000000),
        department_id
    limit 1
    for update skip locked
),

changed as (
    update department
    set
        location = case location
            when 'Leeds' then 'Manchester'
            else 'Leeds'
        end,
        last_updated = demo_traffic.stamp()
    from chosen
    where department.department_id = chosen.department_id
    returning department.department_id
)

select 'department' as table_name, count(*)::integer as row_count from changed
