-- A company whose tables are all that Totesys' are not: keys that are carried
-- as text, keys of several columns, soft deletes, labels of an enum, a column
-- that is named as the zones name their folders.

create table device (
    -- carried from numeric
    serial text not null,
    -- carried from device_state
    state text not null,
    batch text,
    deleted_at timestamp,
    primary key (serial)
);

create table link (
    upper_id integer not null,
    lower_id integer not null,
    weight integer not null,
    primary key (upper_id, lower_id)
);

create table visit (
    -- carried from inet
    address text not null,
    visited_on date not null,
    amount numeric(10,2),
    primary key (address, visited_on)
);

create table tariff (
    -- carried from device_state
    state text not null,
    price numeric(10,2) not null,
    primary key (state)
);

create table desk (
    -- carried from bytea
    desk_id text not null,
    desk_number integer not null,
    place text,
    primary key (desk_id)
);

create table member (
    member_id integer not null,
    desk_number integer,
    badge text,
    primary key (member_id)
);
