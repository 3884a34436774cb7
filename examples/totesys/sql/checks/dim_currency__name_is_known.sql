-- Each currency has a name.
--
-- Severity: warning
-- Why: the source has codes only; sql/models/dim_currency.sql names those it
-- knows and uses any other code as its own name.

select
    cast(currency_id as text) as key,
    format(
        'no name for %s: add it to sql/models/dim_currency.sql', currency_code
    ) as finding
from checked_dim_currency
where to_batch is null
    and currency_name = currency_code
