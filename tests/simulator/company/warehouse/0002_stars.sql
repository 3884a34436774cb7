-- The company's tables. What Totesys' warehouse has beside its stars is made
-- by the same migrations as there.

create table dim_device (
    serial text primary key,
    state text,
    device_batch text,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

create table dim_device_closed (
    serial text not null,
    state text,
    device_batch text,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    from_batch bigint not null,
    to_batch bigint not null,
    primary key (serial, from_batch)
);

create table dim_tariff (
    state text primary key,
    price numeric(10,2),
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

create table dim_tariff_closed (
    state text not null,
    price numeric(10,2),
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    from_batch bigint not null,
    to_batch bigint not null,
    primary key (state, from_batch)
);

create table dim_desk (
    desk_id text primary key,
    desk_number integer,
    place text,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

create table dim_desk_closed (
    desk_id text not null,
    desk_number integer,
    place text,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    from_batch bigint not null,
    to_batch bigint not null,
    primary key (desk_id, from_batch)
);

create table dim_member (
    member_id integer primary key,
    badge text,
    desk_number integer,
    place text,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

create table dim_member_closed (
    member_id integer not null,
    badge text,
    desk_number integer,
    place text,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    from_batch bigint not null,
    to_batch bigint not null,
    primary key (member_id, from_batch)
);

create table dim_badge (
    badge text primary key,
    member_id integer,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

create table dim_badge_closed (
    badge text not null,
    member_id integer,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    from_batch bigint not null,
    to_batch bigint not null,
    primary key (badge, from_batch)
);

create table fact_link (
    link_record_id bigint primary key,
    lower_id integer not null,
    upper_id integer not null,
    weight integer not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    from_batch bigint not null,
    to_batch bigint
);

create unique index on fact_link (lower_id, upper_id) where to_batch is null;
create unique index on fact_link (lower_id, upper_id, from_batch);

create table fact_visit (
    visit_record_id bigint primary key,
    visited_on date not null,
    address text not null,
    amount numeric(10,2),
    valid_from timestamptz not null,
    valid_to timestamptz,
    from_batch bigint not null,
    to_batch bigint
);

create unique index on fact_visit (visited_on, address) where to_batch is null;
create unique index on fact_visit (visited_on, address, from_batch);

-- Rows of the source that no model could read.
create table quarantine (
    quarantine_record_id bigint primary key,
    table_name text not null,
    row_key text not null,
    reason text not null,
    source_row text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    from_batch bigint not null,
    to_batch bigint
);

create unique index on quarantine (table_name, row_key)
where to_batch is null;
create unique index on quarantine (table_name, row_key, from_batch);
