-- Payments as of a batch ($1), to be paid from a month ($2) to a month ($3) and
-- with a counterparty ($4) where these are given: by month and by counterparty,
-- each by currency, kind, and whether they were paid, due or overdue on the day
-- of its snapshot; in one scan. Of counterparties, the first 12 in each of
-- these.
with

today as (
    select cast(snapshot_time at time zone 'UTC' as date) as day
    from pipeline.batch
    where batch = $1
),

payments as (
    select
        paying.*,
        case
            when paying.paid then 'paid'
            when paying.payment_date < today.day then 'overdue'
            else 'due'
        end as state
    from fact_payment_as_of_batch($1) as paying
    cross join today
    where
        ($2::text is null or payment_date >= cast($2 || '-01' as date))
        and (
            $3::text is null
            or payment_date < cast($3 || '-01' as date) + interval '1 month'
        )
        and (
            $4::text is null
            or counterparty_id in (
                select counterparty_id
                from dim_counterparty_as_of_batch($1)
                where counterparty_legal_name = $4
            )
        )
),

-- By ids first: names are joined to few rows then.
totals as (
    select
        grouping(payment_date, counterparty_id) as others,
        payment_date,
        counterparty_id,
        currency_id,
        payment_type_id,
        state,
        count(*) as payments,
        sum(payment_amount) as value
    from payments
    group by grouping sets (
        (payment_date, currency_id, payment_type_id, state),
        (counterparty_id, currency_id, payment_type_id, state)
    )
),

named as (
    select
        'month' as by,
        to_char(payment_date, 'YYYY-MM') as name,
        totals.*
    from totals
    where others = b'01'::integer
    union all
    select
        'counterparty' as by,
        coalesce(parties.counterparty_legal_name, 'unknown') as name,
        totals.*
    from totals
    left join dim_counterparty_as_of_batch($1) as parties
        on totals.counterparty_id = parties.counterparty_id
    where others = b'10'::integer
),

ranked as (
    select
        named.by,
        named.name,
        coalesce(kinds.payment_type_name, 'unknown') as kind,
        named.state,
        coalesce(currencies.currency_code, 'unknown') as currency,
        sum(named.payments) as payments,
        sum(named.value) as value,
        row_number() over (
            partition by
                named.by,
                coalesce(kinds.payment_type_name, 'unknown'),
                named.state,
                coalesce(currencies.currency_code, 'unknown')
            order by sum(named.value) desc, named.name
        ) as place
    from named
    left join dim_currency_as_of_batch($1) as currencies
        on named.currency_id = currencies.currency_id
    left join dim_payment_type_as_of_batch($1) as kinds
        on named.payment_type_id = kinds.payment_type_id
    group by named.by, named.name, kind, named.state, currency
)

select
    by,
    name,
    kind,
    state,
    currency,
    payments,
    value
from ranked
where by = 'month' or place <= 12
order by
    by,
    case when by = 'month' then name end,
    value desc,
    name,
    kind,
    state,
    currency
