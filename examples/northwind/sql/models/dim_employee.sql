-- Employees, each with the name of the manager.
--
-- Grain: one row for each employee.
-- Key: employee_id.
-- Reads: current.employees.
-- References: reports_to -> dim_employee.
-- Not null: first_name, last_name.
-- Columns:
--   reports_to: the manager, who is an employee as well.
--   manager_name: null for who reports to nobody.

with employees as (
    select
        employee_id,
        first_name,
        last_name,
        title,
        hire_date,
        city,
        country,
        reports_to
    from current.employees
),

managers as (
    select
        employee_id,
        first_name || ' ' || last_name as manager_name
    from current.employees
)

select
    employees.employee_id,
    employees.first_name,
    employees.last_name,
    employees.title,
    employees.hire_date,
    employees.city,
    employees.country,
    employees.reports_to,
    managers.manager_name
from employees
left join managers
    on managers.employee_id = employees.reports_to
