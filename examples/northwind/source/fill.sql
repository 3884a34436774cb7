-- Fills the empty tables of schema.sql with two years of orders: the same seed
-- and size give the same rows on any server. All names are made up. Settings,
-- as whole numbers: demo.seed, demo.sales_orders and demo.weeks_later, which
-- shifts all order dates.

set local search_path to northwind, pg_temp;

-- Draws a number in 0 .. choices - 1 for the row with that number.
create function pg_temp.draw(purpose text, row_number bigint, choices bigint)
returns integer language sql stable as
$$
select ((hashint8extended(row_number, hashtextextended(
    purpose, current_setting('demo.seed')::bigint
)) & 9223372036854775807) % choices)::integer
$$;

create function pg_temp.word(words text[], number bigint)
returns text language sql immutable as
$$select words[1 + number % cardinality(words)]$$;

create function pg_temp.city(number bigint)
returns text language sql immutable as
$$
select pg_temp.word(
    array['Bergen', 'Porto', 'Lyon', 'Graz', 'Leeds', 'Turin', 'Århus', 'Köln'],
    number
)
$$;

create function pg_temp.country(number bigint)
returns text language sql immutable as
$$
select pg_temp.word(
    array[
        'Norway', 'Portugal', 'France', 'Austria', 'UK', 'Italy', 'Denmark',
        'Germany'
    ],
    number
)
$$;

-- The days of the two years, with how much is ordered on each: more before
-- Christmas than after it, most on Mondays and Fridays, little on Saturdays and
-- nothing on Sundays, a tenth more each year, and no two days alike. Months are
-- those of the moved days. `ends` sums the weights.
create temporary table demo_day on commit drop as
with days as (
    select
        day_number,
        date '2022-11-07' + day_number
            + 7 * current_setting('demo.weeks_later')::integer as day
    from generate_series(0, 727) as numbers (day_number)
),

weighed as (
    select
        day_number,
        (array[78, 84, 95, 100, 104, 110, 102, 90, 98, 108, 124, 132])[
            extract(month from day)::integer
        ] * (array[118, 108, 100, 104, 114, 30, 0])[
            extract(isodow from day)::integer
        ] * (3650 + day_number) / 3650
        * (80 + pg_temp.draw('day', day_number, 41)) / 100
        -- Shops have bought what they sell at Christmas.
        / case
            when to_char(day, 'MM-DD') between '12-22' and '12-31' then 6
            else 1
        end as weight
    from days
)

select
    day_number,
    sum(weight) over (order by day_number)::bigint as ends
from weighed;

insert into categories
select ordinality, name, 'All our ' || lower(name), '\x89504e47'
from unnest(array[
    'Beverages', 'Condiments', 'Confections', 'Dairy', 'Grains', 'Meat',
    'Produce', 'Seafood'
]) with ordinality as names (name);

insert into suppliers
select
    number,
    pg_temp.city(number) || ' ' || pg_temp.word(
        array['Foods', 'Farms', 'Trading'], number
    ) || ' ' || number,
    'Contact ' || number,
    pg_temp.city(number),
    pg_temp.country(number),
    '555-' || lpad(number::text, 4, '0'),
    case when number % 4 = 0 then 'https://' || number || '.example' end
from generate_series(1, 29) as numbers (number);

insert into products
select
    number,
    pg_temp.word(
        array['Red', 'Sweet', 'Smoked', 'Fresh', 'Old', 'Salted', 'Dark'],
        number
    ) || ' ' || pg_temp.word(
        array['Ale', 'Relish', 'Fudge', 'Brie', 'Rye', 'Ham', 'Plums', 'Cod'],
        number - 1
    ) || ' ' || number,
    1 + pg_temp.draw('supplier', number, 29),
    1 + (number - 1) % 8,
    (1 + pg_temp.draw('box', number, 24)) || ' boxes',
    (250 + pg_temp.draw('price', number, 9750)) * 0.01,
    pg_temp.draw('stock', number, 120),
    0,
    5 * pg_temp.draw('reorder', number, 6),
    number % 10 = 5
from generate_series(1, 77) as numbers (number);

insert into customers
select
    chr(65 + number / 26) || chr(65 + number % 26) || 'NWD',
    pg_temp.word(
        array['Corner', 'Market', 'Old Town', 'Harbour', 'Hill', 'River'],
        number
    ) || ' ' || pg_temp.word(
        array['Grocers', 'Deli', 'Kitchen', 'Stores', 'Bistro'], number
    ) || ' ' || number,
    'Contact ' || number,
    pg_temp.word(array['Owner', 'Buyer', 'Manager'], number),
    (1 + pg_temp.draw('house', number, 200)) || ' Station Road',
    pg_temp.city(place),
    case when number % 3 = 0 then 'North' end,
    lpad(pg_temp.draw('postal code', number, 99999)::text, 5, '0'),
    pg_temp.country(place),
    '555-' || lpad(pg_temp.draw('phone', number, 9999)::text, 4, '0'),
    null
from generate_series(0, 90) as numbers (number)
-- Most are in Germany, then in France and the UK.
cross join lateral (
    select
        (array[7, 7, 7, 7, 7, 2, 2, 2, 4, 4, 4, 5, 5, 3, 0, 1, 6])[
            1 + pg_temp.draw('country', number, 17)
        ] as place
) as places;

-- One head, two managers, and the people who report to them.
insert into employees
select
    number,
    pg_temp.word(
        array['Berg', 'Costa', 'Dahl', 'Ember', 'Frost', 'Gray', 'Holm'], number
    ),
    pg_temp.word(array['Ada', 'Bo', 'Cleo', 'Dan', 'Eve'], number),
    case
        when number = 1 then 'Vice President'
        when number in (2, 3) then 'Sales Manager'
        else 'Sales Representative'
    end,
    date '1970-01-01' + pg_temp.draw('birth', number, 9000),
    date '2015-01-01' + pg_temp.draw('hire', number, 2000),
    pg_temp.city(number),
    pg_temp.country(number),
    lpad(pg_temp.draw('extension', number, 9999)::text, 4, '0'),
    '\x89504e47',
    'Speaks "' || pg_temp.word(array['Danish', 'French'], number) || '".',
    case when number in (2, 3) then 1 when number > 3 then 2 + number % 2 end
from generate_series(1, 9) as numbers (number);

insert into region
select ordinality, name
from unnest(array['East', 'West', 'North', 'South'])
with ordinality as names (name);

insert into territories
select
    lpad((1000 + 17 * number)::text, 5, '0'),
    'Territory ' || number,
    1 + number % 4
from generate_series(1, 48) as numbers (number);

insert into employee_territories
select
    1 + pg_temp.draw('covers', row_number() over (order by territory_id), 9),
    territory_id
from territories;

insert into shippers
values
    (1, 'Swift Parcels', '555-0101'),
    (2, 'United Crates', '555-0102'),
    (3, 'Harbour Freight Lines', '555-0103');

-- The later an order, the higher its number. The last ones are not shipped yet.
insert into orders
with days as (
    select
        array_agg(ends order by day_number) as ends,
        max(ends) as weight
    from demo_day
),

drawn as (
    select
        number,
        date '2022-11-07' + 7 * current_setting('demo.weeks_later')::integer
            + width_bucket(
                ((2 * number - 1) * days.weight / (2 * orders))::bigint,
                days.ends
            ) as order_date,
        date '2024-11-04' + 7 * current_setting('demo.weeks_later')::integer
            as today,
        -- One of twelve is late.
        case pg_temp.draw('late', number, 12) when 0 then 30 else 1 end
            + pg_temp.draw('ship after', number, 21) as days
    from (
        select current_setting('demo.sales_orders')::bigint as orders
    ) as setting
    cross join days
    cross join generate_series(1, orders) as numbers (number)
),

chosen as (
    select
        drawn.*,
        customers.*
    from drawn
    -- The first customers order most: the smaller of two numbers.
    cross join lateral (
        select
            least(
                pg_temp.draw('buyer', number, 91),
                pg_temp.draw('or buyer', number, 91)
            ) as buyer
    ) as buyers
    inner join customers
        on customers.customer_id
            = chr(65 + buyer / 26) || chr(65 + buyer % 26) || 'NWD'
)

select
    10000 + number,
    customer_id,
    -- The head and the managers sell little.
    (array[4, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9, 9, 2, 3, 1])[
        1 + pg_temp.draw('seller', number, 19)
    ],
    order_date,
    order_date + 28,
    case when order_date + days < today then order_date + days end,
    1 + pg_temp.draw('shipper', number, 3),
    pg_temp.draw('freight', number, 20000) * 0.01,
    company_name,
    address,
    city,
    region,
    postal_code,
    country
from chosen
order by number;

-- One to four lines each, of different products.
insert into order_details
select
    order_id,
    1 + (
        pg_temp.draw('product', order_id, 77) + 19 * (line - 1)
    ) % 77 as product_id,
    unit_price,
    1 + pg_temp.draw('quantity', order_id * 4 + line, 60),
    (array[0, 0, 0, 0.05, 0.1, 0.15, 0.2, 0.25])[
        1 + pg_temp.draw('discount', order_id * 4 + line, 8)
    ]
from orders
cross join generate_series(1, 4) as lines (line)
inner join products
    on products.product_id = 1 + (
        pg_temp.draw('product', order_id, 77) + 19 * (line - 1)
    ) % 77
where line <= 1 + pg_temp.draw('lines', order_id, 4)
order by order_id, line;
