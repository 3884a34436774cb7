-- Staff, each with the name and the place of the department.
--
-- Grain: one row for each member of staff.
-- Key: staff_id.
-- Reads: current.staff, current.department.
-- Why: a left join, so that someone whose department is gone stays, with
-- department_name and location null.

with staff as (
    select
        staff_id,
        first_name,
        last_name,
        department_id,
        email_address
    from current.staff
),

departments as (
    select
        department_id,
        department_name,
        location
    from current.department
)

select
    staff.staff_id,
    staff.first_name,
    staff.last_name,
    departments.department_name,
    departments.location,
    staff.email_address
from staff
left join departments
    on departments.department_id = staff.department_id
