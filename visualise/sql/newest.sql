-- The newest batch in the warehouse, and the number of checks whose latest
-- result has findings. No parameter.
select
    batch,
    lake_id,
    snapshot_time,
    loaded_at,
    extract(epoch from clock_timestamp() - snapshot_time) as age_seconds,
    (
        select count(*)
        from pipeline.check_result
        where findings > 0
    ) as checks_failing
from pipeline.batch
order by batch desc
limit 1
