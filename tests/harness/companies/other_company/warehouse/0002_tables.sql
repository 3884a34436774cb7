-- The other company's tables.

create table dim_item (
    sku text primary key,
    title text,
    details text,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

create table dim_item_closed (
    sku text not null,
    title text,
    details text,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    from_batch bigint not null,
    to_batch bigint not null
);

create table fact_stock (
    stock_record_id bigint primary key,
    warehouse_code text not null,
    item_number bigint not null,
    quantity integer not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    from_batch bigint not null,
    to_batch bigint
);

create table fact_reading (
    reading_record_id bigint primary key,
    reading_id bigint not null,
    taken_on date not null,
    amount numeric(12,4),
    valid_from timestamptz not null,
    valid_to timestamptz,
    from_batch bigint not null,
    to_batch bigint
);
