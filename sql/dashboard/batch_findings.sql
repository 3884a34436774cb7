-- What the checks found in a batch: $1.
select
    check_name,
    severity,
    key,
    finding
from pipeline.finding
where batch = $1
order by severity, check_name, key
limit 200
