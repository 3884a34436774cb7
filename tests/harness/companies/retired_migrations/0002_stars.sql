-- The three stars.
--
-- A fact table is its own history: a row for each version, under a number of
-- its own, with the interval in which it held. A dimension holds one row for
-- each key, so that facts can refer to it, and its older versions stand in
-- <dimension>_closed. Of a dimension only the key is never null: what a fact
-- names and the source doesn't have gets a row with is_placeholder true.
-- A row that the source deleted stays, with its interval closed.

create table dim_date (
    date_id date primary key,
    year integer,
    month integer,
    day integer,
    day_of_week integer,
    day_name text,
    month_name text,
    quarter integer,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

comment on table dim_date is
    'The calendar: every date that a fact names.';

create table dim_location (
    location_id integer primary key,
    address_line_1 text,
    address_line_2 text,
    district text,
    city text,
    postal_code text,
    country text,
    phone text,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

comment on table dim_location is
    'Places that orders are delivered to.';

create table dim_counterparty (
    counterparty_id integer primary key,
    counterparty_legal_name text,
    counterparty_legal_address_line_1 text,
    counterparty_legal_address_line_2 text,
    counterparty_legal_district text,
    counterparty_legal_city text,
    counterparty_legal_postal_code text,
    counterparty_legal_country text,
    counterparty_legal_phone_number text,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

comment on table dim_counterparty is
    'Customers and suppliers, each with its legal address.';

create table dim_staff (
    staff_id integer primary key,
    first_name text,
    last_name text,
    department_name text,
    location text,
    email_address text,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

comment on table dim_staff is
    'Staff, each with the name and place of the department.';

create table dim_currency (
    currency_id integer primary key,
    currency_code text,
    currency_name text,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

comment on table dim_currency is
    'Currencies.';

create table dim_design (
    design_id integer primary key,
    design_name text,
    file_location text,
    file_name text,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

comment on table dim_design is
    'Designs of what is sold, and where their files are.';

create table dim_payment_type (
    payment_type_id integer primary key,
    payment_type_name text,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

comment on table dim_payment_type is
    'Kinds of payment.';

create table dim_transaction (
    transaction_id integer primary key,
    transaction_type text,
    sales_order_id integer,
    purchase_order_id integer,
    valid_from timestamptz,
    valid_to timestamptz,
    from_batch bigint,
    to_batch bigint,
    is_placeholder boolean not null default false
);

comment on table dim_transaction is
    'The order, sale or purchase, that a payment is for.';

-- The closed versions of each dimension: its columns, less is_placeholder.
do $$
declare
    dimension record;
begin
    for dimension in
        select
            tables.relname as table_name,
            keys.attname as key_name,
            (
                select string_agg(
                    format('%I', columns.attname), ', ' order by columns.attnum
                )
                from pg_attribute as columns
                where columns.attrelid = tables.oid
                    and columns.attnum > 0
                    and not columns.attisdropped
                    and columns.attname <> 'is_placeholder'
            ) as column_list
        from pg_class as tables
        inner join pg_index as indexes
            on indexes.indrelid = tables.oid
            and indexes.indisprimary
        inner join pg_attribute as keys
            on keys.attrelid = tables.oid
            and keys.attnum = indexes.indkey[0]
        where tables.relnamespace = to_regnamespace(current_schema())
            and tables.relkind = 'r'
            and exists (
                select 1
                from pg_attribute as flags
                where flags.attrelid = tables.oid
                    and flags.attname = 'is_placeholder'
            )
    loop
        execute format(
            'create table %I as select %s from %I with no data',
            dimension.table_name || '_closed',
            dimension.column_list,
            dimension.table_name
        );
        execute format(
            'alter table %I add primary key (%I, from_batch),'
            ' alter column valid_from set not null,'
            ' alter column valid_to set not null,'
            ' alter column to_batch set not null',
            dimension.table_name || '_closed',
            dimension.key_name
        );
        execute format(
            'comment on table %I is %L',
            dimension.table_name || '_closed',
            'Older versions of the rows of ' || dimension.table_name || '.'
        );
    end loop;
end
$$;

create table fact_sales_order (
    sales_record_id bigint primary key,
    sales_order_id integer not null,
    created_date date not null references dim_date,
    created_time time not null,
    last_updated_date date not null references dim_date,
    last_updated_time time not null,
    sales_staff_id integer not null references dim_staff,
    counterparty_id integer not null references dim_counterparty,
    units_sold integer not null,
    unit_price numeric(10,2) not null,
    currency_id integer not null references dim_currency,
    design_id integer not null references dim_design,
    agreed_payment_date date not null references dim_date,
    agreed_delivery_date date not null references dim_date,
    agreed_delivery_location_id integer not null references dim_location,
    valid_from timestamptz not null,
    valid_to timestamptz,
    from_batch bigint not null,
    to_batch bigint
);

create unique index on fact_sales_order (sales_order_id)
where to_batch is null;
create unique index on fact_sales_order (sales_order_id, from_batch);

comment on table fact_sales_order is
    'Sales orders, every version of each.';
comment on column fact_sales_order.sales_record_id is
    'Number of this version, given in the order of batch and key.';

create table fact_purchase_order (
    purchase_record_id bigint primary key,
    purchase_order_id integer not null,
    created_date date not null references dim_date,
    created_time time not null,
    last_updated_date date not null references dim_date,
    last_updated_time time not null,
    staff_id integer not null references dim_staff,
    counterparty_id integer not null references dim_counterparty,
    item_code text not null,
    item_quantity integer not null,
    item_unit_price numeric(10,2) not null,
    currency_id integer not null references dim_currency,
    agreed_delivery_date date not null references dim_date,
    agreed_payment_date date not null references dim_date,
    agreed_delivery_location_id integer not null references dim_location,
    valid_from timestamptz not null,
    valid_to timestamptz,
    from_batch bigint not null,
    to_batch bigint
);

create unique index on fact_purchase_order (purchase_order_id)
where to_batch is null;
create unique index on fact_purchase_order (purchase_order_id, from_batch);

comment on table fact_purchase_order is
    'Purchase orders, every version of each.';
comment on column fact_purchase_order.purchase_record_id is
    'Number of this version, given in the order of batch and key.';

create table fact_payment (
    payment_record_id bigint primary key,
    payment_id integer not null,
    created_date date not null references dim_date,
    created_time time not null,
    last_updated_date date not null references dim_date,
    last_updated_time time not null,
    transaction_id integer not null references dim_transaction,
    counterparty_id integer not null references dim_counterparty,
    payment_amount numeric(15,2) not null,
    currency_id integer not null references dim_currency,
    payment_type_id integer not null references dim_payment_type,
    paid boolean not null,
    payment_date date not null references dim_date,
    valid_from timestamptz not null,
    valid_to timestamptz,
    from_batch bigint not null,
    to_batch bigint
);

create unique index on fact_payment (payment_id)
where to_batch is null;
create unique index on fact_payment (payment_id, from_batch);

comment on table fact_payment is
    'Payments, every version of each.';
comment on column fact_payment.payment_record_id is
    'Number of this version, given in the order of batch and key.';

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

comment on table quarantine is
    'Rows of the source that were set aside, and why; open until mended.';
comment on column quarantine.quarantine_record_id is
    'Number of this version, given in the order of batch and key.';
comment on column quarantine.table_name is
    'The table of the source.';
comment on column quarantine.row_key is
    'The key of the row in that table, as text.';
comment on column quarantine.source_row is
    'The row as it was read, as text.';
