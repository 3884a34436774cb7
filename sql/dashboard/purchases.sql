-- Purchases as of a batch ($1), of orders from a month ($2) to a month ($3) and
-- with a counterparty ($4) where these are given: by month, counterparty,
-- country that is delivered to and staff, each by currency; in one scan.
-- `detail` is a counterparty's country and a member of staff's department. Of
-- what is ranked, the first 12 in each currency.
with

-- By ids first: names are joined to few rows then.
totals as (
    select
        grouping(
            created_date,
            counterparty_id,
            agreed_delivery_location_id,
            staff_id
        ) as others,
        created_date,
        counterparty_id,
        agreed_delivery_location_id,
        staff_id,
        currency_id,
        count(*) as orders,
        sum(item_quantity) as units,
        sum(item_quantity * item_unit_price) as value
    from fact_purchase_order_as_of_batch($1)
    where
        ($2::text is null or created_date >= cast($2 || '-01' as date))
        and (
            $3::text is null
            or created_date < cast($3 || '-01' as date) + interval '1 month'
        )
        and (
            $4::text is null
            or counterparty_id in (
                select counterparty_id
                from dim_counterparty_as_of_batch($1)
                where counterparty_legal_name = $4
            )
        )
    group by grouping sets (
        (created_date, currency_id),
        (counterparty_id, currency_id),
        (agreed_delivery_location_id, currency_id),
        (staff_id, currency_id)
    )
),

named as (
    select
        'month' as by,
        to_char(created_date, 'YYYY-MM') as name,
        null as detail,
        totals.*
    from totals
    where others = b'0111'::integer
    union all
    select
        'counterparty' as by,
        coalesce(parties.counterparty_legal_name, 'unknown') as name,
        parties.counterparty_legal_country as detail,
        totals.*
    from totals
    left join dim_counterparty_as_of_batch($1) as parties
        on totals.counterparty_id = parties.counterparty_id
    where others = b'1011'::integer
    union all
    select
        'country' as by,
        coalesce(places.country, 'unknown') as name,
        null as detail,
        totals.*
    from totals
    left join dim_location_as_of_batch($1) as places
        on totals.agreed_delivery_location_id = places.location_id
    where others = b'1101'::integer
    union all
    select
        'staff' as by,
        coalesce(people.first_name || ' ' || people.last_name, 'unknown')
            as name,
        coalesce(people.department_name, 'unknown') as detail,
        totals.*
    from totals
    left join dim_staff_as_of_batch($1) as people
        on totals.staff_id = people.staff_id
    where others = b'1110'::integer
),

ranked as (
    select
        named.by,
        named.name,
        named.detail,
        coalesce(currencies.currency_code, 'unknown') as currency,
        sum(named.orders) as orders,
        sum(named.units) as units,
        sum(named.value) as value,
        row_number() over (
            partition by
                named.by,
                coalesce(currencies.currency_code, 'unknown')
            order by sum(named.value) desc, named.name
        ) as place
    from named
    left join dim_currency_as_of_batch($1) as currencies
        on named.currency_id = currencies.currency_id
    group by named.by, named.name, named.detail, currency
)

select
    by,
    name,
    detail,
    currency,
    orders,
    units,
    value
from ranked
where by = 'month' or place <= 12
order by by, case when by = 'month' then name end, value desc, name, currency
