-- The error of the newest failed load, while its batch is not loaded, for
-- `status` and the dashboard. No parameter.
select
    batch,
    to_char(since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        as since,
    to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
    message,
    hint,
    retryable
from pipeline.failure as failure
where
    stage = 'load'
    and not exists (
        select
        from pipeline.batch as loaded
        where loaded.batch >= failure.batch
    )
