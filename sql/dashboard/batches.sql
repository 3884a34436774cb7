-- The newest batches, how many seconds each stage took with its wait, and what
-- the checks found in them: so many, $1. Each stage writes down the time by a
-- clock of its own.
select
    batches.batch,
    batches.snapshot_time,
    batches.extracted_at,
    batches.transformed_at,
    batches.loaded_at,
    round(
        extract(epoch from batches.loaded_at - batches.snapshot_time), 1
    ) as seconds_behind,
    round(
        extract(epoch from batches.extracted_at - batches.snapshot_time), 1
    ) as extract_seconds,
    round(
        extract(epoch from batches.transformed_at - batches.extracted_at), 1
    ) as transform_seconds,
    round(
        extract(epoch from batches.loaded_at - batches.transformed_at), 1
    ) as load_seconds,
    batches.rows,
    batches.deletes,
    (
        select sum(files.bytes)
        from pipeline.batch_file as files
        where files.batch = batches.batch
    ) as bytes,
    (
        select count(*)
        from pipeline.finding as findings
        where findings.batch = batches.batch
    ) as findings
from pipeline.batch as batches
order by batches.batch desc
limit $1
