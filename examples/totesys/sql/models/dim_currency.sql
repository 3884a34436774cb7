-- Currencies.
--
-- Grain: one row for each currency.
-- Key: currency_id.
-- Reads: changed.currency.
-- Why: the source holds no names, so those of the company's currencies stand
-- here. Any other code is its own name: were it null, a report that groups by
-- name would add up different currencies.

select
    currency_id,
    currency_code,
    cast(
        case currency_code
            when 'GBP' then 'British Pound'
            when 'USD' then 'US Dollar'
            when 'EUR' then 'Euro'
            else currency_code
        end as varchar
    ) as currency_name
from changed.currency
