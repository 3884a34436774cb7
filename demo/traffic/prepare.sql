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

create or replace function demo_traffic.day_after(days integer)
returns text language sql stable as
$$
select to_char(demo_traffic.stamp() + days * interval '1 day', 'YYYY-MM-DD')
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

create or replace function demo_traffic.some_staff(drawn bigint)
returns integer language sql stable as
$$
select staff_id
from staff
where staff_id > demo_traffic.draw(
    drawn, 'staff', (select max(staff_id) from staff)
)
order by staff_id
limit 1
$$;

create or replace function demo_traffic.some_counterparty(drawn bigint)
returns integer language sql stable as
$$
select counterparty_id
from counterparty
where counterparty_id > demo_traffic.draw(
    drawn, 'counterparty', (select max(counterparty_id) from counterparty)
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
