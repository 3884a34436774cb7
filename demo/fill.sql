-- Fills the empty tables of sql/source.sql with two years of trade that looks
-- like the real one: the same seed and size give the same rows on any server.
-- Settings, all whole numbers: demo.seed, demo.sales_orders, and
-- demo.weeks_later, which moves all times. One file, though long: each table is
-- drawn by the temporary functions and from the tables before it.

-- Draws a number from 0 to choices - 1 for a row. The seed becomes a constant
-- of the function, so that its hash is computed once per statement.
do $$
begin
    execute format(
        'create function pg_temp.draw(purpose text, row_number bigint, '
            'choices bigint) returns bigint language sql immutable as '
            '''select (hashint8extended(row_number, hashtextextended(purpose, '
            '%s)) & 9223372036854775807) %% choices''',
        current_setting('demo.seed')::bigint
    );
    execute format(
        'create function pg_temp.later(moment timestamp) returns timestamp '
            'language sql immutable as $body$select moment + %s * '
            'interval ''7 days''$body$',
        current_setting('demo.weeks_later')::integer
    );
end
$$;

-- Keys have gaps, as if a sequence had given some to failed transactions.
create function pg_temp.key_of(row_number bigint)
returns integer language sql immutable as
$$select (row_number + row_number / 97 + 11 * (row_number / 1009))::integer$$;

-- The weekdays of the two years, with how much is traded on each: more before
-- the holidays than after them, more in midweek, a tenth more each year, and no
-- two days alike. Months are those of the moved times. `ends` sums the weights.
create temporary table demo_day on commit drop as
with weekdays as (
    select
        day::date as day,
        day::date - pg_temp.later('2022-11-03')::date as day_number,
        extract(month from day)::integer as month,
        extract(isodow from day)::integer as weekday
    from generate_series(
        pg_temp.later('2022-11-03'),
        pg_temp.later('2024-11-01'),
        interval '1 day'
    ) as days (day)
    where extract(isodow from day) < 6
),

weighed as (
    select
        day,
        (array[75, 82, 94, 96, 100, 106, 92, 80, 106, 116, 134, 118])[month]
            * (array[95, 108, 113, 104, 80])[weekday]
            * (3650 + day_number) / 3650
            * (85 + pg_temp.draw('day', day_number, 31)) / 100
            -- Between the years hardly anybody works.
            / case
                when month = 12 and extract(day from day) > 23 then 8
                when month = 1 and extract(day from day) = 1 then 50
                else 1
            end as weight
    from weekdays
)

select
    day,
    weight,
    sum(weight) over (order by day)::bigint as ends
from weighed;

-- The trade of both years as a length, in which a day is as long as its weight,
-- in thousandths; and the moment, between 08:00 and 19:00, at a place of it.
-- The days become constants of the functions.
do $$
declare
    starts text;
    body text;
begin
    select
        format('%L::bigint[]', array_agg(ends - weight order by day)),
        format(
            'select (%L::date[])[day] + time ''08:00'' + '
                '(place - 1000 * (%L::bigint[])[day]) * 39600 '
                '/ (%L::bigint[])[day] * interval ''1 millisecond''',
            array_agg(day order by day),
            array_agg(ends - weight order by day),
            array_agg(weight order by day)
        )
    into starts, body
    from demo_day;
    execute format(
        'create function pg_temp.traded() returns bigint '
            'language sql immutable as ''select %s::bigint''',
        (select 1000 * max(ends) from demo_day)
    );
    execute format(
        'create function pg_temp.moment_of(place bigint, day integer) '
            'returns timestamp language sql immutable as %L',
        body
    );
    execute format(
        'create function pg_temp.moment(place bigint) '
            'returns timestamp language sql immutable as %L',
        format(
            'select pg_temp.moment_of(place, width_bucket(place / 1000, %s))',
            starts
        )
    );
end
$$;

create function pg_temp.word(words text[], number bigint)
returns text language sql immutable as
$$select words[1 + number % cardinality(words)]$$;

insert into currency
select
    ordinality,
    code,
    pg_temp.later('2022-11-03 07:20:49.962'),
    pg_temp.later('2022-11-03 07:20:49.962')
from unnest(array['GBP', 'USD', 'EUR']) with ordinality as codes (code);

insert into payment_type
select
    ordinality,
    name,
    pg_temp.later('2022-11-03 07:20:49.962'),
    pg_temp.later('2022-11-03 07:20:49.962')
from unnest(array[
    'SALES_RECEIPT', 'SALES_REFUND', 'PURCHASE_PAYMENT', 'PURCHASE_REFUND'
]) with ordinality as names (name);

insert into department
select
    row_number() over (),
    department_name,
    location,
    manager,
    pg_temp.later('2022-11-03 07:20:49.962'),
    pg_temp.later('2022-11-03 07:20:49.962')
from (
    values
        ('Sales', 'Manchester', 'Olive Marsh'),
        ('Purchasing', 'Manchester', 'Ned Hartley'),
        ('Production', 'Leeds', 'Asha Lowe'),
        ('Dispatch', 'Leds', 'Piers Fenn'),
        ('Finance', 'Manchester', 'Greta Stone'),
        ('Facilities', 'Manchester', null),
        ('Communications', 'Leeds', 'Idris Vane'),
        ('HR', null, 'Mona Teale')
) as departments (department_name, location, manager);

insert into address
select
    address_number,
    lpad((1 + pg_temp.draw('house', address_number, 99999))::text, 3, '0')
        || ' ' || pg_temp.word(
            array['Alder', 'Birch', 'Cobble', 'Dunmore', 'Elm', 'Foxglove'],
            pg_temp.draw('street', address_number, 6)
        ) || ' ' || pg_temp.word(
            array['Lane', 'Row', 'Cliffs', 'Via', 'Garden', 'Wharf', 'Track'],
            pg_temp.draw('street kind', address_number, 7)
        ),
    case when pg_temp.draw('line 2', address_number, 3) = 0
        then pg_temp.word(
            array['Mill House', 'Unit 4, Dock Side', 'The Old "Tannery"'],
            pg_temp.draw('house name', address_number, 3)
        )
    end,
    case when pg_temp.draw('has district', address_number, 2) = 0
        then pg_temp.word(
            array['Avon', 'Bedfordshire', 'Borders', 'Kent', 'Suffolk'],
            pg_temp.draw('district', address_number, 5)
        )
    end,
    pg_temp.word(
        array['New', 'East', 'Port', 'Lake', 'Fort', 'St.'],
        pg_temp.draw('city prefix', address_number, 6)
    ) || ' ' || pg_temp.word(
        array['Ansley', 'Brora', 'Corran', 'Dalby', 'Esher', 'Zürn', 'Łomna'],
        pg_temp.draw('city', address_number, 7)
    ),
    lpad(pg_temp.draw('postal', address_number, 100000)::text, 5, '0')
        || case when pg_temp.draw('postal kind', address_number, 3) = 0
            then '-' || lpad(
                pg_temp.draw('postal end', address_number, 10000)::text, 4, '0'
            )
            else ''
        end,
    pg_temp.word(
        array[
            'United Kingdom', 'Turkey', 'Samoa', 'Iceland', 'Republic of Korea',
            'Côte d''Ivoire', 'Saint Helena, Ascension and Tristan da Cunha'
        ],
        pg_temp.draw('country', address_number, 7)
    ),
    lpad(pg_temp.draw('area code', address_number, 10000)::text, 4, '0')
        || ' '
        || lpad(pg_temp.draw('phone', address_number, 1000000)::text, 6, '0'),
    pg_temp.later('2022-11-03 07:20:49.962'),
    pg_temp.later('2022-11-03 07:20:49.962')
from generate_series(1, 30) as address_numbers (address_number);

with names as (
    select
        number,
        pg_temp.word(
            array[
                'Ada', 'Bram', 'Cleo', 'Dov', 'Enid', 'Finn', 'Gwen', 'Hugo',
                'Ines', 'Jonah', 'Kezia', 'Lars', 'Mina', 'Noor', 'Otis', 'Pia',
                'Quentin', 'Rhea', 'Sol', 'Tove'
            ],
            number + pg_temp.draw('first name', 0, 20)
        ) as first_name,
        pg_temp.word(
            array[
                'Abel', 'Brandt', 'Cole', 'Drury', 'Eames', 'Frost', 'Groves',
                'Hale', 'Ives', 'Jessop', 'Kerr', 'Lund', 'Moss', 'Nunn',
                'O''Dell', 'Price', 'Quinn', 'Rudd', 'Shaw', 'VonThal'
            ],
            number + pg_temp.draw('last name', 0, 20)
        ) as last_name
    from generate_series(1, 20) as numbers (number)
),

new_staff as (
    insert into staff
    select
        number,
        first_name,
        last_name,
        -- Most people sell or buy.
        (array[1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8])[
            1 + (number + pg_temp.draw('first department', 0, 20)) % 20
        ],
        lower(first_name || '.' || last_name) || '@terrifictotes.com',
        pg_temp.later('2022-11-03 07:20:51.563'),
        pg_temp.later('2022-11-03 07:20:51.563')
    from names
)

insert into counterparty
select
    number,
    case pg_temp.draw('company form', number, 4)
        when 0 then last_name || ' and Sons'
        when 1 then last_name || ', ' || first_name || ' and Partners'
        when 2 then last_name || ' - ' || first_name
        else last_name || ' LLC'
    end,
    1 + pg_temp.draw('legal address', number, 30),
    case when number <> 7 then first_name || ' ' || last_name end,
    case when number <> 9 then 'Dr. ' || last_name end,
    pg_temp.later('2022-11-03 07:20:51.563'),
    pg_temp.later('2022-11-03 07:20:51.563')
from names;

-- Ten designs at the start, the others spread evenly over the two years.
insert into design
select
    pg_temp.key_of(number),
    created_at,
    material,
    pg_temp.word(
        array[
            '/lib', '/etc/periodic', '/System', '/usr/local/src', '/opt/sbin',
            '/lost+found', '/home/user/dir', '/private/var', '/usr/X11R6'
        ],
        pg_temp.draw('folder', number, 9)
    ),
    lower(material) || '-' || to_char(
        date '2020-11-03' + pg_temp.draw('drawn', number, 730)::integer,
        'YYYYMMDD'
    ) || '-' || substr(
        md5(pg_temp.draw('file', number, 1000000007)::text), 1, 4
    ) || '.json',
    created_at
from (
    select
        number,
        case when number <= 10
            then pg_temp.later('2022-11-03 07:20:49.962')
            else pg_temp.moment(
                pg_temp.traded() * (number - 10) / (designs - 9)
            )
        end as created_at,
        pg_temp.word(
            array[
                'Wooden', 'Steel', 'Granite', 'Fresh', 'Concrete', 'Soft',
                'Cotton', 'Frozen', 'Bronze', 'Metal', 'Rubber', 'Plastic'
            ],
            least(
                pg_temp.draw('material', number, 12),
                pg_temp.draw('other material', number, 12)
            )
        ) as material
    from (
        select
            greatest(
                20, current_setting('demo.sales_orders')::bigint * 470 / 11000
            ) as designs
    ) as sizes
    cross join generate_series(1, designs) as numbers (number)
) as drawn;

-- Every order of either kind, in order of time. Some batches hold several
-- orders, stamped with the same millisecond.
create temporary table demo_order on commit drop as
with sizes as (
    select
        sales_orders,
        sales_orders + sales_orders * 4600 / 11000 as orders
    from (
        select current_setting('demo.sales_orders')::bigint as sales_orders
    ) as setting
),

drawn as (
    select
        number,
        orders,
        row_number() over (
            order by pg_temp.draw('kind', number, 1000000007), number
        ) <= sales_orders as is_sale,
        sum((pg_temp.draw('batch', number, 5) < 3)::integer) over (
            order by number
        ) as batch
    from sizes
    cross join generate_series(1, orders) as numbers (number)
),

numbered as (
    select
        *,
        row_number() over (partition by is_sale order by number) as kind_number,
        max(batch) over () as batches
    from drawn
)

select
    number,
    is_sale,
    batch,
    pg_temp.key_of(kind_number) as order_id,
    number * (select count(*) - 10 from design) / orders + 10 as designs_known,
    pg_temp.moment(
        (pg_temp.traded() * greatest(batch - 1, 0)
            + pg_temp.draw('moment', batch, pg_temp.traded()))
        / batches
    ) as created_at,
    case when pg_temp.draw('anybody', number, 10) = 0
        then 1 + pg_temp.draw('staff', number, 20)
        else pg_temp.word(
            case when is_sale then sellers else buyers end,
            pg_temp.draw('staff', number, 1000000007)
        )::integer
    end as staff_id,
    -- The first are the best customers.
    1 + least(
        pg_temp.draw('counterparty', number, 20),
        pg_temp.draw('other counterparty', number, 20)
    ) as counterparty_id,
    case when is_sale
        then 1000 + pg_temp.draw('units', number, 99001)
        else 1 + pg_temp.draw('units', number, 1000)
    end as units,
    case when is_sale
        then (200 + pg_temp.draw('price', number, 300)) * 0.01
        else (100 + pg_temp.draw('price', number, 99900)) * 0.01
    end as price,
    (array[1, 1, 1, 1, 1, 2, 2, 2, 3, 3])[
        1 + pg_temp.draw('currency', number, 10)
    ] as currency_id,
    1 + pg_temp.draw('delivery', number, 7)::integer as delivery_days,
    pg_temp.draw('due', number, 7)::integer as due_days,
    1 + pg_temp.draw('place', number, 30) as location_id
from numbered
cross join (
    select
        array_agg(staff_id::text order by staff_id)
            filter (where department_id = 1) as sellers,
        array_agg(staff_id::text order by staff_id)
            filter (where department_id = 2) as buyers
    from staff
) as departments;

-- One order in 200 names a design that is created later.
insert into sales_order
select
    order_id,
    created_at,
    case when pg_temp.draw('corrected', number, 50) = 0
        then least(
            created_at + interval '1 hour'
                * (1 + pg_temp.draw('correction', number, 100)),
            pg_temp.later('2024-11-01 19:00')
        )
        else created_at
    end,
    pg_temp.key_of(
        case when pg_temp.draw('early', number, 200) = 0
            then least(
                designs_known + 1 + pg_temp.draw('ahead', number, 5),
                (select count(*) from design)
            )
            else 1 + pg_temp.draw('design', number, designs_known)
        end
    ),
    staff_id,
    counterparty_id,
    units,
    price,
    currency_id,
    to_char(created_at + delivery_days * interval '1 day', 'YYYY-MM-DD'),
    to_char(created_at + due_days * interval '1 day', 'YYYY-MM-DD'),
    location_id
from demo_order
where is_sale
order by order_id;

insert into purchase_order
select
    order_id,
    created_at,
    created_at,
    staff_id,
    counterparty_id,
    translate(
        upper(
            substr(md5(pg_temp.draw('item', number, 1000000007)::text), 1, 7)
        ),
        '024689',
        'RKTZWX'
    ),
    units,
    price,
    currency_id,
    to_char(created_at + delivery_days * interval '1 day', 'YYYY-MM-DD'),
    to_char(created_at + due_days * interval '1 day', 'YYYY-MM-DD'),
    location_id
from demo_order
where not is_sale
order by order_id;

-- One transaction with one payment for each order, and a second one for
-- refunds; keys are out of order within a batch.
create temporary table demo_payment on commit drop as
with movements as (
    select
        demo_order.*,
        is_refund,
        2 * number + is_refund::integer as movement_number,
        created_at + is_refund::integer * interval '9 days' as moved_at
    from demo_order
    cross join (values (false), (true)) as kinds (is_refund)
    where
        not is_refund
        or (
            pg_temp.draw('refund', number, 1000) < 26
            and created_at < pg_temp.later('2024-10-20')
        )
),

-- The payment run: early in the morning, one to six days later.
planned as (
    select
        *,
        -- What is long past was paid, but for a few.
        pg_temp.draw('paid', movement_number, 100) < case
            when moved_at < pg_temp.later('2024-08-01') then 98
            else 61
        end as is_to_be_paid,
        date_trunc('day', moved_at) + time '07:55:11' + interval '1 day' * (
            1 + pg_temp.draw('paid after', movement_number, 6)
        ) as run_at
    from movements
),

settled as (
    select
        *,
        run_at + pg_temp.draw(
            'run', run_at::date - pg_temp.later('2022-01-01')::date, 999
        ) * interval '1 millisecond' as paid_at,
        is_to_be_paid and run_at < pg_temp.later('2024-11-03') as is_paid
    from planned
)

select
    *,
    pg_temp.key_of(row_number() over (
        order by
            moved_at, pg_temp.draw('transaction order', movement_number, 9973)
    )) as transaction_id,
    pg_temp.key_of(row_number() over (
        order by moved_at, pg_temp.draw('payment order', movement_number, 9973)
    )) as payment_id
from settled;

insert into transaction
select
    transaction_id,
    case when is_sale then 'SALE' else 'PURCHASE' end,
    case when is_sale then order_id end,
    case when not is_sale then order_id end,
    moved_at,
    moved_at
from demo_payment
order by transaction_id;

insert into payment
select
    payment_id,
    moved_at,
    case when is_paid then paid_at else moved_at end,
    transaction_id,
    counterparty_id,
    case when is_refund
        then round(
            units * price * (1 + pg_temp.draw('share', number, 100)) / 100, 2
        )
        else units * price
    end,
    currency_id,
    case when is_sale then 1 else 3 end + is_refund::integer,
    is_paid,
    to_char(
        case when is_paid
            then paid_at
            else moved_at + due_days * interval '1 day'
        end,
        'YYYY-MM-DD'
    ),
    10000000 + pg_temp.draw('company account', movement_number, 90000000),
    10000000 + pg_temp.draw('other account', movement_number, 90000000)
from demo_payment
order by payment_id;
