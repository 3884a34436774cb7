-- Payments by currency and kind, as of a batch ($1): paid, due and overdue on
-- the day of its snapshot.
with

today as (
    select cast(snapshot_time at time zone 'UTC' as date) as day
    from pipeline.batch
    where batch = $1
),

-- By ids first: names are joined to few rows then.
totals as (
    select
        paying.currency_id,
        paying.payment_type_id,
        case
            when paying.paid then 'paid'
            when paying.payment_date < today.day then 'overdue'
            else 'due'
        end as state,
        count(*) as payments,
        sum(paying.payment_amount) as value
    from fact_payment_as_of_batch($1) as paying
    cross join today
    group by paying.currency_id, paying.payment_type_id, state
)

select
    currencies.currency_code as currency,
    kinds.payment_type_name as kind,
    totals.state,
    sum(totals.payments) as payments,
    sum(totals.value) as value
from totals
inner join dim_currency_as_of_batch($1) as currencies
    on totals.currency_id = currencies.currency_id
inner join dim_payment_type_as_of_batch($1) as kinds
    on totals.payment_type_id = kinds.payment_type_id
group by currency, kind, totals.state
order by currency, kind, totals.state
