-- Another company's contract: keys of other kinds, and a partitioned table.

create table stock (
    warehouse_code text not null,
    item_number bigint not null,
    quantity integer not null,
    primary key (warehouse_code, item_number)
);

create table item (
    sku text not null,
    title text,
    -- carried from jsonb
    details text,
    primary key (sku)
);

create table reading (
    reading_id bigint not null,
    taken_on date not null,
    taken_at timestamptz not null,
    amount numeric(12,4),
    primary key (reading_id, taken_on)
);
