-- Payments as of a batch ($1), filtered if given by month ($2), first day ($3),
-- last day ($4), currency ($5), counterparty ($6), kinds ($7, separated by
-- commas) and state ($8: paid, due, overdue). At most $9, the longest due
-- first.
with

days as (
    select cast(snapshot_time at time zone 'UTC' as date) as day
    from pipeline.batch
    where batch = $1
),

payments as (
    select
        paying.payment_id,
        paying.payment_date,
        coalesce(parties.counterparty_legal_name, 'unknown') as counterparty,
        coalesce(kinds.payment_type_name, 'unknown') as kind,
        coalesce(currencies.currency_code, 'unknown') as currency,
        case
            when paying.paid then 'paid'
            when paying.payment_date < days.day then 'overdue'
            else 'due'
        end as state,
        paying.payment_amount as value
    from fact_payment_as_of_batch($1) as paying
    left join dim_counterparty_as_of_batch($1) as parties
        on paying.counterparty_id = parties.counterparty_id
    left join dim_currency_as_of_batch($1) as currencies
        on paying.currency_id = currencies.currency_id
    left join dim_payment_type_as_of_batch($1) as kinds
        on paying.payment_type_id = kinds.payment_type_id
    cross join days
)

select
    *,
    count(*) over () as matching
from payments
where
    ($2::text is null or to_char(payment_date, 'YYYY-MM') = $2)
    and ($3::text is null or payment_date >= cast($3 as date))
    and ($4::text is null or payment_date <= cast($4 as date))
    and ($5::text is null or currency = $5)
    and ($6::text is null or counterparty = $6)
    and ($7::text is null or kind = any(string_to_array($7, ',')))
    and ($8::text is null or state = $8)
order by payment_date, payment_id
limit $9
