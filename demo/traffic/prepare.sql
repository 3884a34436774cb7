-- What the traffic needs beside the tables that it writes to: keys above the
-- existing ones, the payments that it deleted, and random draws.

create schema if not exists demo_traffic;

create sequence if not exists demo_traffic.design_id;
create sequence if not exists demo_traffic.sales_order_id;
create sequence if not exists demo_traffic.purchase_order_id;
create sequence if not exists demo_traffic.transaction_id;
create sequence if not exists demo_traffic.payment_id;

select
    setval('demo_traffic.design_id', greatest(
        nextval('demo_traffic.design_id'),
        (select max(design_id) + 1 from design)
    )),
    setval('demo_traffic.sales_order_id', greatest(
        nextval('demo_traffic.sales_order_id'),
        (select max(sales_order_id) + 1 from sales_order)
    )),
    setval('demo_traffic.purchase_order_id', greatest(
        nextval('demo_traffic.purchase_order_id'),
        (select max(purchase_order_id) + 1 from purchase_order)
    )),
    setval('demo_traffic.transaction_id', greatest(
        nextval('demo_traffic.transaction_id'),
        (select max(transaction_id) + 1 from transaction)
    )),
    setval('demo_traffic.payment_id', greatest(
        nextval('demo_traffic.payment_id'),
        (select max(payment_id) + 1 from payment)
    ));

create table if not exists demo_traffic.deleted_payment (
    payment_id integer primary key,
    payment jsonb not null
);

-- How many orders a week the trade before had in its last four: the traffic
-- keeps to that.
create table if not exists demo_traffic.pace as
select
    (
        select greatest(3, ceil(count(*) / 4.0))::integer
        from sales_order
        where created_at > (
            select max(created_at) - interval '28 days' from sales_order
        )
    ) as weekly_sales,
    (
        select greatest(3, ceil(count(*) / 4.0))::integer
        from purchase_order
        where created_at > (
            select max(created_at) - interval '28 days' from purchase_order
        )
    ) as weekly_purchases;

-- A number from 0 to choices - 1, for the number drawn for the action.
create or replace function demo_traffic.draw(
    drawn bigint, purpose text, choices bigint
) returns integer language sql immutable as
$$
select (
    (hashtextextended(purpose, drawn) & 9223372036854775807)
        % greatest(choices, 1)
)::integer
$$;

-- The transaction's time, as the source stamps its rows.
create or replace function demo_traffic.stamp()
returns timestamp language sql stable as
$$select date_trunc('milliseconds', now() at time zone 'utc')$$;

-- When an order was placed that is entered now: in the working hours of the
-- last seven days.
create or replace function demo_traffic.placed_at(drawn bigint)
returns timestamp language sql stable as
$$
select least(
    demo_traffic.stamp(),
    day + time '08:00' + demo_traffic.draw(drawn, 'moment', 39600000)
        * interval '1 millisecond'
)
from generate_series(
    date_trunc('day', demo_traffic.stamp()) - interval '6 days',
    demo_traffic.stamp(),
    interval '1 day'
) as days (day)
where extract(isodow from day) < 6
order by day
offset demo_traffic.draw(drawn, 'day', 5)
limit 1
$$;

-- Whether fewer sales orders than usual were placed in the last week.
create or replace function demo_traffic.wants_sales()
returns boolean language sql stable as
$$
select coalesce((
    select created_at < demo_traffic.stamp() - interval '7 days'
    from sales_order
    order by sales_order_id desc
    offset (select weekly_sales - 1 from demo_traffic.pace)
    limit 1
), true)
$$;

create or replace function demo_traffic.wants_purchases()
returns boolean language sql stable as
$$
select coalesce((
    select created_at < demo_traffic.stamp() - interval '7 days'
    from purchase_order
    order by purchase_order_id desc
    offset (select weekly_purchases - 1 from demo_traffic.pace)
    limit 1
), true)
$$;

create or replace function demo_traffic.some_design(drawn bigint)
returns integer language sql stable as
$$
select design_id
from design
where design_id > demo_traffic.draw(
    drawn, 'design', (select max(design_id) from design)
)
order by design_id
limit 1
$$;

-- Nine times of ten someone of that department, else anybody.
create or replace function demo_traffic.some_staff(
    drawn bigint, department_name text
) returns integer language sql stable as
$$
select staff.staff_id
from staff
inner join department
    on staff.department_id = department.department_id
order by
    department.department_name = some_staff.department_name
        or demo_traffic.draw(drawn, 'anybody', 10) = 0 desc,
    demo_traffic.draw(drawn + staff.staff_id, 'staff', 1000000),
    staff.staff_id
limit 1
$$;

create or replace function demo_traffic.some_counterparty(drawn bigint)
returns integer language sql stable as
$$
select counterparty_id
from counterparty
-- The first are the best customers.
where counterparty_id > (
    select
        least(
            demo_traffic.draw(drawn, 'counterparty', max(counterparty_id)),
            demo_traffic.draw(drawn, 'other counterparty', max(counterparty_id))
        )
    from counterparty
)
order by counterparty_id
limit 1
$$;

create or replace function demo_traffic.some_address(drawn bigint)
returns integer language sql stable as
$$
select address_id
from address
where address_id > demo_traffic.draw(
    drawn, 'address', (select max(address_id) from address)
)
order by address_id
limit 1
$$;
