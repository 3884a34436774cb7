-- Payments as of a batch ($1), due from one day ($2) to another ($3) and with a
-- counterparty ($4), if these are given: by month and by counterparty, each by
-- currency, kind, and whether they were paid, due or overdue on the day of its
-- snapshot; in one scan. Only the first 12 counterparties in each of these are
-- returned.
--
-- Two columns of JSON: `figures`, and `totals` by ids, from which those of any
-- other batch are computed with only the changes between the two: $5 and $6 are
-- the totals of a batch of the same day and its number, null where none are
-- known.
with

today as (
    select cast(snapshot_time at time zone 'UTC' as date) as day
    from pipeline.batch
    where batch = $1
),

-- The versions that count: all that held at that batch; or, with totals, those
-- that held at only one of the two batches.
moved as (
    select
        1 as sign,
        facts.*
    from fact_payment as facts
    where
        $6::bigint is null
        and from_batch <= $1
        and (to_batch is null or to_batch > $1)
    union all
    select
        case when $1::bigint > $6::bigint then 1 else -1 end as sign,
        facts.*
    from fact_payment as facts
    where
        from_batch > least($1::bigint, $6::bigint)
        and from_batch <= greatest($1::bigint, $6::bigint)
        and (to_batch is null or to_batch > greatest($1::bigint, $6::bigint))
    union all
    select
        case when $1::bigint > $6::bigint then -1 else 1 end as sign,
        facts.*
    from fact_payment as facts
    where
        from_batch <= least($1::bigint, $6::bigint)
        and to_batch > least($1::bigint, $6::bigint)
        and to_batch <= greatest($1::bigint, $6::bigint)
),

payments as (
    select
        moved.*,
        case
            when moved.paid then 'paid'
            when moved.payment_date < today.day then 'overdue'
            else 'due'
        end as state
    from moved
    cross join today
    where
        ($2::text is null or payment_date >= cast($2 as date))
        and ($3::text is null or payment_date <= cast($3 as date))
        and (
            $4::text is null
            or counterparty_id in (
                select counterparty_id
                from dim_counterparty_as_of_batch($1)
                where counterparty_legal_name = $4
            )
            or (
                $4 = 'unknown'
                and counterparty_id not in (
                    select counterparty_id
                    from dim_counterparty_as_of_batch($1)
                )
            )
        )
),

counted as (
    select
        grouping(payment_date, counterparty_id) as others,
        to_char(payment_date, 'YYYY-MM') as month,
        counterparty_id,
        currency_id,
        payment_type_id,
        state,
        sum(sign) as payments,
        sum(sign * payment_amount) as value
    from payments
    group by grouping sets (
        (payment_date, currency_id, payment_type_id, state),
        (counterparty_id, currency_id, payment_type_id, state)
    )
    union all
    select *
    from jsonb_to_recordset($5::jsonb) as known (
        others integer,
        month text,
        counterparty_id integer,
        currency_id integer,
        payment_type_id integer,
        state text,
        payments bigint,
        value numeric
    )
),

-- By ids first, so that names are joined to few rows.
totals as (
    select
        others,
        month,
        counterparty_id,
        currency_id,
        payment_type_id,
        state,
        sum(payments) as payments,
        sum(value) as value
    from counted
    group by
        others,
        month,
        counterparty_id,
        currency_id,
        payment_type_id,
        state
    having sum(payments) <> 0
),

named as (
    select
        'month' as by,
        month as name,
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

-- As JSON, not as jsonb, which sorts columns by their names' lengths.
select
    (
        select
            json_agg(
                json_build_object(
                    'by', by,
                    'name', name,
                    'kind', kind,
                    'state', state,
                    'currency', currency,
                    'payments', payments::text,
                    'value', value::text
                )
                order by
                    by,
                    case when by = 'month' then name end,
                    value desc,
                    name,
                    kind,
                    state,
                    currency
            )
        from ranked
        where by = 'month' or place <= 12
    ) as figures,
    (select jsonb_agg(totals) from totals) as totals
