-- Which employee covers which territory.
--
-- Grain: one row for each employee and territory.
-- Key: employee_id, territory_id.
-- Reads: changed.employee_territories.
-- References: employee_id -> dim_employee, territory_id -> dim_territory.
-- Why: a fact without measures: its history says who covered what, and when.

select
    employee_id,
    territory_id
from changed.employee_territories
