-- Every check as it last ended, those with findings first, and how many of
-- these are written down over all batches, of one batch 1,000 at most; they are
-- counted up to 10,000. Load looks at what it touches, so a check's last batch
-- is the newest that brought something for it; one with an error is not loaded,
-- and nothing of it written.
with

counted as (
    select
        results.*,
        (
            select count(*)
            from (
                select
                from pipeline.finding as findings
                where findings.check_name = results.check_name
                limit 10001
            ) as some_findings
        ) as written_down
    from pipeline.check_result as results
)

select
    check_name,
    rule,
    severity,
    batch,
    checked_at,
    findings,
    case
        when written_down > 10000 then 'over 10,000'
        else cast(written_down as text)
    end as written_down
from counted
order by findings desc, check_name
