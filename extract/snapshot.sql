-- Takes this transaction's snapshot, and shows where the source stands in it.
-- $1 is the snapshot time of the batch before: the new one is at least a
-- microsecond later.
select
    pg_export_snapshot() as snapshot_id,
    pg_snapshot_xmin(pg_current_snapshot())::text as watermark,
    pg_snapshot_xmax(pg_current_snapshot())::text as next_id,
    pg_is_in_recovery()::text as in_recovery,
    pg_backend_pid()::text as pid,
    pg_postmaster_start_time()::text as server,
    current_setting('server_version') as server_version,
    to_char(clock.shown, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as clock_time,
    to_char(
        greatest(clock.shown, $1::timestamptz + interval '1 microsecond'),
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) as snapshot_time
from (select clock_timestamp() as shown) as clock
