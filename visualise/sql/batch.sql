-- The ledger's entry for a batch: $1.
select
    batch,
    snapshot_time,
    extracted_at,
    transform_began_at,
    transformed_at,
    load_began_at,
    loaded_at,
    round(extract(epoch from loaded_at - snapshot_time), 1)
        as seconds_behind,
    extracted_rows,
    extracted_bytes,
    rows,
    deletes,
    run_id,
    lake_id,
    input_sha256,
    transform_hash
from pipeline.batch
where batch = $1
