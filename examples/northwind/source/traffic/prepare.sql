-- Objects for the traffic: order numbers above the existing ones, and random
-- draws.

create schema if not exists demo_traffic;

create sequence if not exists demo_traffic.order_id;

select setval('demo_traffic.order_id', greatest(
    nextval('demo_traffic.order_id'),
    (select max(order_id) + 1 from northwind.orders)
));

-- A number in 0 .. choices - 1, from the number drawn for the action.
create or replace function demo_traffic.draw(
    drawn bigint, purpose text, choices bigint
) returns integer language sql immutable as
$$
select (
    (hashtextextended(purpose, drawn) & 9223372036854775807)
        % greatest(choices, 1)
)::integer
$$;

-- How many orders the trade before had in four weeks: the traffic keeps to it.
create table if not exists demo_traffic.pace as
select
    greatest(3, count(*) * 28 / greatest(28, max(order_date) - min(order_date)))
        ::integer as orders
from northwind.orders;

-- Whether fewer orders than usual were placed in the last four weeks.
create or replace function demo_traffic.wants_orders()
returns boolean language sql stable as
$$
select coalesce((
    select order_date < current_date - 28
    from northwind.orders
    order by order_id desc
    offset (select orders - 1 from demo_traffic.pace)
    limit 1
), true)
$$;

-- One of the two hundred newest orders.
create or replace function demo_traffic.some_order(drawn bigint)
returns integer language sql stable as
$$
select order_id
from northwind.orders
where order_id >= (select max(order_id) from northwind.orders)
    - demo_traffic.draw(drawn, 'order', 200)
order by order_id
limit 1
$$;
