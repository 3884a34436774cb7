-- The newest batch in the warehouse. No parameter.
select
    batch,
    lake_id,
    snapshot_time,
    loaded_at,
    extract(epoch from clock_timestamp() - snapshot_time) as age_seconds
from pipeline.batch
order by batch desc
limit 1
