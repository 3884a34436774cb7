-- Whether the warehouse has the row of sql/smoke/write.sql.
select count(*) as rows
from dim_design_current
where design_id = $1
