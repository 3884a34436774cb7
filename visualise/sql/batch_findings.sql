-- The checks' findings in a batch ($1), at most $2 of them, the first of each
-- check before further ones of others, and their total number.
select
    check_name,
    severity,
    key,
    finding,
    count(*) over () as total
from (
    select
        *,
        row_number() over (partition by check_name order by key) as place
    from pipeline.finding
    where batch = $1
) as placed
order by place, severity, check_name
limit $2
