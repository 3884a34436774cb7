-- The contract with the source: its tables and columns, as the pipeline reads
-- them. PostgreSQL (demo, tests) and DuckDB (column types) both execute this.
-- Each run first compares it with the live source: a column that is missing,
-- renamed or has another type stops the run; an extra column is not read.
--
-- created_at and last_updated are UTC. The agreed dates and the payment date
-- are text in the source; sql/quarantine says which of them are not dates.

create table address (
    address_id integer not null,
    address_line_1 text not null,
    address_line_2 text,
    district text,
    city text not null,
    postal_code text not null,
    country text not null,
    phone text not null,
    created_at timestamp not null,
    last_updated timestamp not null,
    primary key (address_id)
);

create table counterparty (
    counterparty_id integer not null,
    counterparty_legal_name text not null,
    legal_address_id integer not null,
    commercial_contact text,
    delivery_contact text,
    created_at timestamp not null,
    last_updated timestamp not null,
    primary key (counterparty_id)
);

create table currency (
    currency_id integer not null,
    currency_code text not null,
    created_at timestamp not null,
    last_updated timestamp not null,
    primary key (currency_id)
);

create table department (
    department_id integer not null,
    department_name text not null,
    location text,
    manager text,
    created_at timestamp not null,
    last_updated timestamp not null,
    primary key (department_id)
);

create table design (
    design_id integer not null,
    created_at timestamp not null,
    design_name text not null,
    file_location text not null,
    file_name text not null,
    last_updated timestamp not null,
    primary key (design_id)
);

create table payment (
    payment_id integer not null,
    created_at timestamp not null,
    last_updated timestamp not null,
    transaction_id integer not null,
    counterparty_id integer not null,
    payment_amount numeric(15,2) not null,
    currency_id integer not null,
    payment_type_id integer not null,
    paid boolean not null,
    payment_date text not null,
    company_ac_number integer not null,
    counterparty_ac_number integer not null,
    primary key (payment_id)
);

create table payment_type (
    payment_type_id integer not null,
    payment_type_name text not null,
    created_at timestamp not null,
    last_updated timestamp not null,
    primary key (payment_type_id)
);

create table purchase_order (
    purchase_order_id integer not null,
    created_at timestamp not null,
    last_updated timestamp not null,
    staff_id integer not null,
    counterparty_id integer not null,
    item_code text not null,
    item_quantity integer not null,
    item_unit_price numeric(10,2) not null,
    currency_id integer not null,
    agreed_delivery_date text not null,
    agreed_payment_date text not null,
    agreed_delivery_location_id integer not null,
    primary key (purchase_order_id)
);

create table sales_order (
    sales_order_id integer not null,
    created_at timestamp not null,
    last_updated timestamp not null,
    design_id integer not null,
    staff_id integer not null,
    counterparty_id integer not null,
    units_sold integer not null,
    unit_price numeric(10,2) not null,
    currency_id integer not null,
    agreed_delivery_date text not null,
    agreed_payment_date text not null,
    agreed_delivery_location_id integer not null,
    primary key (sales_order_id)
);

create table staff (
    staff_id integer not null,
    first_name text not null,
    last_name text not null,
    department_id integer not null,
    email_address text not null,
    created_at timestamp not null,
    last_updated timestamp not null,
    primary key (staff_id)
);

create table transaction (
    transaction_id integer not null,
    transaction_type text not null,
    sales_order_id integer,
    purchase_order_id integer,
    created_at timestamp not null,
    last_updated timestamp not null,
    primary key (transaction_id)
);
