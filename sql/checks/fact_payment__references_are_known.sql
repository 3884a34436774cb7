-- What a payment refers to is in the source.
--
-- Severity: warning
-- Why: the source keeps its references whole, so a placeholder in a dimension
-- means that it no longer does, or that the row was not read.

with placeholders as (
    select
        payments.payment_id,
        'transaction ' || payments.transaction_id as missing
    from checked_fact_payment as payments
    inner join dim_transaction as dimension
        on dimension.transaction_id = payments.transaction_id
    where payments.to_batch is null
        and dimension.is_placeholder
    union all
    select
        payments.payment_id,
        'counterparty ' || payments.counterparty_id as missing
    from checked_fact_payment as payments
    inner join dim_counterparty as dimension
        on dimension.counterparty_id = payments.counterparty_id
    where payments.to_batch is null
        and dimension.is_placeholder
    union all
    select
        payments.payment_id,
        'currency ' || payments.currency_id as missing
    from checked_fact_payment as payments
    inner join dim_currency as dimension
        on dimension.currency_id = payments.currency_id
    where payments.to_batch is null
        and dimension.is_placeholder
    union all
    select
        payments.payment_id,
        'payment type ' || payments.payment_type_id as missing
    from checked_fact_payment as payments
    inner join dim_payment_type as dimension
        on dimension.payment_type_id = payments.payment_type_id
    where payments.to_batch is null
        and dimension.is_placeholder
)

select
    cast(payment_id as text) as key,
    'refers to what the source lacks: '
        || string_agg(missing, ', ' order by missing) as finding
from placeholders
group by payment_id
