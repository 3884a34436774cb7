-- The error of the newest failed load, while its batch is not loaded. No
-- parameter.
select
    batch,
    since,
    message,
    hint
from pipeline.failure as failure
where
    stage = 'load'
    and not exists (
        select
        from pipeline.batch as loaded
        where loaded.batch >= failure.batch
    )
