-- Where the source stands in this transaction's snapshot. $1 is the snapshot
-- time of the batch before: the new one is at least a microsecond later.
select
    pg_export_snapshot() as snapshot_id,
    pg_snapshot_xmin(pg_current_snapshot())::text as fence,
    pg_snapshot_xmax(pg_current_snapshot())::text as next_id,
    control_system.system_identifier || '/' || (
        select database.oid
        from pg_database as database
        where database.datname = current_database()
    ) as database_id,
    -- The control file learns of a promotion only with the next checkpoint;
    -- the name of a WAL file begins with the timeline.
    case
        when pg_is_in_recovery() then control_checkpoint.timeline_id
        else cast(
            cast(
                'x' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
                as bit(32)
            ) as integer
        )
    end::text as timeline,
    pg_is_in_recovery()::text as in_recovery,
    current_setting('server_version') as server_version,
    to_char(
        greatest(
            clock_timestamp(),
            $1::timestamptz + interval '1 microsecond'
        ),
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) as snapshot_time
from pg_control_system() as control_system
cross join pg_control_checkpoint() as control_checkpoint
