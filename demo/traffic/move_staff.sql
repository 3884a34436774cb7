-- A member of staff moves to another department; whoever sells or buys stays.
with chosen as (
    select staff.staff_id, staff.department_id
    from staff
    inner join department
        on staff.department_id = department.department_id
    where department.department_name not in ('Sales', 'Purchasing')
    order by
        demo_traffic.draw($1 + staff.staff_id, 'staff', 1000000),
        staff.staff_id
    limit 1
    for update of staff skip locked
),

moved as (
    update staff
    set
        department_id = (
            select department.department_id
            from department
            where
                department.department_id <> chosen.department_id
                and department.department_name not in ('Sales', 'Purchasing')
            order by
                demo_traffic.draw(
                    $1 + department.department_id, 'department', 1000000
                ),
                department.department_id
            limit 1
        ),
        last_updated = demo_traffic.stamp()
    from chosen
    where staff.staff_id = chosen.staff_id
    returning staff.staff_id
)

select 'staff' as table_name, count(*)::integer as row_count from moved
