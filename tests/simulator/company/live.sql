-- The tables as the source has them, with a few rows.

create type device_state as enum ('new', 'in use', 'broken', 'sold');

create table device (
    serial numeric primary key,
    state device_state not null,
    batch text,
    deleted_at timestamp
);

create table link (
    upper_id integer,
    lower_id integer,
    weight integer not null,
    primary key (upper_id, lower_id)
);

create table visit (
    address inet,
    visited_on date,
    amount numeric(10,2),
    primary key (address, visited_on)
) partition by range (visited_on);

create table visit_2023 partition of visit
for values from ('2023-01-01') to ('2024-01-01');

create table visit_other partition of visit default;

create table tariff (
    state device_state primary key,
    price numeric(10,2) not null
);

create table desk (
    desk_id bytea primary key,
    desk_number integer not null,
    place text
);

create table member (
    member_id integer primary key,
    desk_number integer,
    badge text
);

insert into device
select
    id + 0.5,
    (enum_range(cast(null as device_state)))[1 + id % 4],
    'L' || id,
    case when id = 2 then timestamp '2023-01-01' end
from generate_series(1, 6) as id;

insert into link values (1, 2, 10), (2, 1, 20), (3, 4, 30), (4, 3, 40);

insert into visit
select cast('10.0.0.' || id as inet), date '2023-12-29' + id, id
from generate_series(1, 6) as id;

insert into tariff
select label, 1.50
from unnest(enum_range(cast(null as device_state))) as label
limit 3;

insert into desk
select int4send(id), 10 * id, 'floor ' || id
from generate_series(1, 4) as id;

insert into member
select id, 10 * id, 'badge ' || id
from generate_series(1, 4) as id;
