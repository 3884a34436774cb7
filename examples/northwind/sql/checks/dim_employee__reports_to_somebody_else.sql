-- Nobody is their own manager.
--
-- Severity: error
-- Why: queries that follow the line of managers upwards would never end.

select
    cast(employee_id as text) as key,
    format('reports to itself, %s', employee_id) as finding
from checked_dim_employee
where to_batch is null
    and reports_to = employee_id
