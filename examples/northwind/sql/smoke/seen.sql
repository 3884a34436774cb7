-- Whether the warehouse has the row of sql/smoke/write.sql.
select count(*) as rows
from fact_order_current
where order_id = $1
