-- The newest batches, at most $1, with the seconds that each stage took and the
-- findings of the checks. Extract and transform record times by their own
-- clocks; batches loaded together share one duration.
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
        extract(epoch from batches.transformed_at - batches.transform_began_at),
        1
    ) as transform_seconds,
    round(
        extract(epoch from batches.loaded_at - batches.load_began_at), 1
    ) as load_seconds,
    batches.extracted_rows,
    batches.extracted_bytes,
    batches.rows,
    (
        select sum(files.bytes)
        from pipeline.batch_file as files
        where files.batch = batches.batch
    ) as bytes,
    batches.deletes,
    (
        select count(*)
        from pipeline.finding as findings
        where findings.batch = batches.batch
    ) as findings
from pipeline.batch as batches
order by batches.batch desc
limit $1
