-- Transactions that hold back the xmin watermark, as far as this role may see.
-- $1: the watermark.
select
    coalesce(
        'process ' || activity.pid || ' of ' || activity.usename || ' ('
        || coalesce(activity.application_name, '') || ') since '
        || activity.xact_start,
        'an unseen process'
    ) as holder
from pg_stat_activity as activity
where activity.backend_xid::text::bigint = ($1::bigint & 4294967295)
union all
select
    'prepared transaction "' || prepared.gid || '" of ' || prepared.owner
    || ' since ' || prepared.prepared as holder
from pg_prepared_xacts as prepared
where prepared.transaction::text::bigint = ($1::bigint & 4294967295)
