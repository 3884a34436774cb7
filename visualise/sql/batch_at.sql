-- The newest batch whose snapshot was taken by a time: $1.
select batch
from pipeline.batch
where snapshot_time <= cast($1 as timestamptz)
order by snapshot_time desc, batch desc
limit 1
