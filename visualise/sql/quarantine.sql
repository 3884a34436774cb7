-- The number of rows in quarantine. No parameter.
select count(*) as rows
from quarantine_current
