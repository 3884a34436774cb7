-- A member of staff moves to another department.
with chosen as (
    select staff_id, department_id
    from staff
    where staff_id = demo_traffic.some_staff($1)
    for update skip locked
),

moved as (
    update staff
    set
        department_id = (
            select department.department_id
            from department
            where department.department_id <> chosen.department_id
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
