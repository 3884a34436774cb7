-- The names of counterparties as of a batch: $1.
select distinct counterparty_legal_name as name
from dim_counterparty_as_of_batch($1)
order by name
limit 2000
