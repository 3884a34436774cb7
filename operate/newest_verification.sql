-- The newest verification, in one row: what it compared and its result.
select
    batch,
    to_char(max(verified_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as verified_at,
    sum(differences) as differences
from pipeline.verification
group by batch
order by batch desc
limit 1
