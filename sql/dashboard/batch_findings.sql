-- What the checks found in a batch ($1), and how much it is in all; of it so
-- many: $2.
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
