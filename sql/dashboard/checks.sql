-- Every check as it last ended, those with findings first, and how many of
-- these are written down over all batches, of one batch 1,000 at most. Load
-- looks at what it touches, so a check's last batch is the newest that brought
-- something for it; one with an error is not loaded, and nothing of it written.
select
    results.check_name,
    results.rule,
    results.severity,
    results.batch,
    results.checked_at,
    results.findings,
    count(findings.batch) as written_down
from pipeline.check_result as results
left join pipeline.finding as findings
    on results.check_name = findings.check_name
group by results.check_name
order by results.findings desc, results.check_name
