-- The batches after one ($1), up to another ($2) if it is given: what each
-- wrote, what the checks found in it, and the seconds from its snapshot to its
-- load. Read once and then only for what is new.
select
    batches.batch,
    to_char(
        batches.snapshot_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
    ) as time,
    batches.rows,
    coalesce(findings.found, 0) as found,
    ceil(extract(epoch from batches.loaded_at - batches.snapshot_time))
        as behind
from pipeline.batch as batches
left join (
    select
        batch,
        count(*) as found
    from pipeline.finding
    where batch > $1 and ($2::bigint is null or batch <= $2)
    group by batch
) as findings
    on batches.batch = findings.batch
where batches.batch > $1 and ($2::bigint is null or batches.batch <= $2)
order by batches.batch
