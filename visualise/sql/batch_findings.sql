-- The checks' findings in a batch ($1), at most $2 of them, and their total
-- number.
select
    check_name,
    severity,
    key,
    finding,
    count(*) over () as total
from pipeline.finding
where batch = $1
order by severity, check_name, key
limit $2
