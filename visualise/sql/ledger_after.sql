-- The batches after one: $1. Read once and then only for what is new.
select
    batch,
    to_char(snapshot_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        as time,
    rows
from pipeline.batch
where batch > $1
order by batch
