-- The warehouse's own account: its newest batch and the age of that.
select
    batch.batch,
    to_char(batch.snapshot_time, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        as snapshot_time,
    to_char(batch.loaded_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as loaded_at,
    batch.rows,
    extract(epoch from clock_timestamp() - batch.snapshot_time)
        as freshness_seconds
from pipeline.batch as batch
order by batch.batch desc
limit 1
