-- Every check as it last ended, those with findings first, and how many it
-- found over all batches. Load looks at what it touches, so a check's last
-- batch is the newest that brought something for it.
select
    results.check_name,
    results.rule,
    results.severity,
    results.batch,
    results.checked_at,
    results.findings,
    count(findings.batch) as findings_in_all
from pipeline.check_result as results
left join pipeline.finding as findings
    on results.check_name = findings.check_name
group by results.check_name
order by results.findings desc, results.check_name
