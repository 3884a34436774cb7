-- The last result of every check, those with findings first, with the keys of
-- the first three, and the number of findings recorded over all batches (at
-- most 1,000 per batch), counted up to 10,000. Load checks only the rows it
-- touches, so a check's last batch is the newest with rows for it; a batch with
-- an error is not loaded, and none of its findings are recorded.
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
        ) as findings_kept,
        (
            select string_agg(first_findings.key, ', ' order by key)
            from (
                select
                    case
                        when length(findings.key) > 60
                            then left(findings.key, 59) || '…'
                        else findings.key
                    end as key
                from pipeline.finding as findings
                where
                    results.findings > 0
                    and findings.batch = results.batch
                    and findings.check_name = results.check_name
                order by findings.key
                limit 3
            ) as first_findings
        ) as first_keys
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
        when findings_kept > 10000 then 'over 10,000'
        else cast(findings_kept as text)
    end as findings_kept,
    first_keys
from counted
order by findings desc, check_name
