-- The newest batches, with what the checks found in them: so many, $1.
select
    batches.batch,
    batches.snapshot_time,
    batches.loaded_at,
    round(
        extract(epoch from batches.loaded_at - batches.snapshot_time), 1
    ) as seconds_behind,
    batches.rows,
    batches.deletes,
    count(findings.batch) as findings
from pipeline.batch as batches
left join pipeline.finding as findings
    on batches.batch = findings.batch
group by batches.batch
order by batches.batch desc
limit $1
