-- Sessions that wait for a lock held by extract. $1: the processes of extract;
-- $2: when their server started, since this may be another one.
select
    lock.pid::text as pid,
    lock.virtualtransaction as transaction,
    lock.relation::regclass::text as target,
    extract(epoch from clock_timestamp() - lock.waitstart)::text as seconds,
    coalesce(
        activity.usename || coalesce(
            ' (' || nullif(activity.application_name, '') || ')', ''
        ),
        'an unseen user'
    ) as who
from pg_locks as lock
left join pg_stat_activity as activity
    on lock.pid = activity.pid
where
    not lock.granted
    and pg_postmaster_start_time()::text = $2
    and pg_blocking_pids(lock.pid) && $1::integer[]
