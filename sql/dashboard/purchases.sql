-- Purchases as of a batch ($1), of orders created from one day ($2) to another
-- ($3) and with a counterparty ($4), country of delivery ($7), department ($8)
-- and member of staff ($9), if these are given: by month and by each of these,
-- each by currency; in one scan. `detail` is a member of staff's department. Of
-- ranked values, the first 12 in each currency.
--
-- Two columns of JSON: `figures`, and `totals` by ids, from which those of any
-- other batch are computed with only the changes between the two: $5 and $6 are
-- the totals of a batch and its number, null where none are known or names are
-- given.
with

-- The versions that count: all that held at that batch; or, with totals, those
-- that held at only one of the two batches.
moved as (
    select
        1 as sign,
        facts.*
    from fact_purchase_order as facts
    where
        $6::bigint is null
        and from_batch <= $1
        and (to_batch is null or to_batch > $1)
    union all
    select
        case when $1::bigint > $6::bigint then 1 else -1 end as sign,
        facts.*
    from fact_purchase_order as facts
    where
        from_batch > least($1::bigint, $6::bigint)
        and from_batch <= greatest($1::bigint, $6::bigint)
        and (to_batch is null or to_batch > greatest($1::bigint, $6::bigint))
    union all
    select
        case when $1::bigint > $6::bigint then -1 else 1 end as sign,
        facts.*
    from fact_purchase_order as facts
    where
        from_batch <= least($1::bigint, $6::bigint)
        and to_batch > least($1::bigint, $6::bigint)
        and to_batch <= greatest($1::bigint, $6::bigint)
),

counted as (
    select
        grouping(
            created_date,
            counterparty_id,
            agreed_delivery_location_id,
            staff_id
        ) as others,
        to_char(created_date, 'YYYY-MM') as month,
        counterparty_id,
        agreed_delivery_location_id,
        staff_id,
        currency_id,
        sum(sign) as orders,
        sum(sign * item_quantity) as units,
        sum(sign * item_quantity * item_unit_price) as value
    from moved
    where
        ($2::text is null or created_date >= cast($2 as date))
        and ($3::text is null or created_date <= cast($3 as date))
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
        and (
            $7::text is null
            or agreed_delivery_location_id in (
                select location_id
                from dim_location_as_of_batch($1)
                where country = $7
            )
            or (
                $7 = 'unknown'
                and agreed_delivery_location_id not in (
                    select location_id
                    from dim_location_as_of_batch($1)
                )
            )
        )
        and (
            $8::text is null
            or staff_id in (
                select staff_id
                from dim_staff_as_of_batch($1)
                where department_name = $8
            )
            or (
                $8 = 'unknown'
                and staff_id not in (
                    select staff_id
                    from dim_staff_as_of_batch($1)
                )
            )
        )
        and (
            $9::text is null
            or staff_id in (
                select staff_id
                from dim_staff_as_of_batch($1)
                where first_name || ' ' || last_name = $9
            )
            or (
                $9 = 'unknown'
                and staff_id not in (
                    select staff_id
                    from dim_staff_as_of_batch($1)
                )
            )
        )
    group by grouping sets (
        (created_date, currency_id),
        (counterparty_id, currency_id),
        (agreed_delivery_location_id, currency_id),
        (staff_id, currency_id)
    )
    union all
    select *
    from jsonb_to_recordset($5::jsonb) as known (
        others integer,
        month text,
        counterparty_id integer,
        agreed_delivery_location_id integer,
        staff_id integer,
        currency_id integer,
        orders bigint,
        units bigint,
        value numeric
    )
),

-- By ids first, so that names are joined to few rows.
totals as (
    select
        others,
        month,
        counterparty_id,
        agreed_delivery_location_id,
        staff_id,
        currency_id,
        sum(orders) as orders,
        sum(units) as units,
        sum(value) as value
    from counted
    group by
        others,
        month,
        counterparty_id,
        agreed_delivery_location_id,
        staff_id,
        currency_id
    having sum(orders) <> 0
),

named as (
    select
        'month' as by,
        month as name,
        null as detail,
        totals.*
    from totals
    where others = b'0111'::integer
    union all
    select
        'counterparty' as by,
        coalesce(parties.counterparty_legal_name, 'unknown') as name,
        null as detail,
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
    union all
    select
        'department' as by,
        coalesce(people.department_name, 'unknown') as name,
        null as detail,
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
            order by sum(named.value) desc, named.name, named.detail
        ) as place
    from named
    left join dim_currency_as_of_batch($1) as currencies
        on named.currency_id = currencies.currency_id
    group by named.by, named.name, named.detail, currency
)

-- As JSON, not as jsonb, which sorts columns by their names' lengths.
select
    (
        select
            json_agg(
                json_build_object(
                    'by', by,
                    'name', name,
                    'detail', detail,
                    'currency', currency,
                    'orders', orders::text,
                    'units', units::text,
                    'value', value::text
                )
                order by
                    by,
                    case when by = 'month' then name end,
                    value desc,
                    name,
                    detail,
                    currency
            )
        from ranked
        where by = 'month' or place <= 12
    ) as figures,
    (select jsonb_agg(totals) from totals) as totals
