-- Payments by currency and kind, as of a batch ($1): paid, due and overdue on
-- the day of its snapshot.
select
    currencies.currency_code as currency,
    kinds.payment_type_name as kind,
    case
        when payments.paid then 'paid'
        when payments.payment_date < days.day then 'overdue'
        else 'due'
    end as state,
    count(*) as payments,
    sum(payments.payment_amount) as value
from fact_payment_as_of_batch($1) as payments
inner join dim_currency_as_of_batch($1) as currencies
    on payments.currency_id = currencies.currency_id
inner join dim_payment_type_as_of_batch($1) as kinds
    on payments.payment_type_id = kinds.payment_type_id
cross join (
    select cast(snapshot_time at time zone 'UTC' as date) as day
    from pipeline.batch
    where batch = $1
) as days
group by currency, kind, state
order by currency, kind, state
