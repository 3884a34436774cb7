-- The contract with the source: its tables and columns, as the pipeline reads
-- them. Made by `deno task init`; what nobody needs is left out by name since:
-- pictures, what is personal, and the stock, which would give a product another
-- version with each sale.

create table northwind.categories (
    category_id smallint not null,
    category_name text not null,
    -- leaves out: description, picture
    primary key (category_id)
);

create table northwind.customers (
    -- carried from character(5)
    customer_id text not null,
    company_name text not null,
    city text,
    region text,
    postal_code text,
    country text,
    -- leaves out: contact_name, contact_title, address, phone, fax
    primary key (customer_id)
);

create table northwind.employee_territories (
    employee_id smallint not null,
    territory_id text not null,
    primary key (employee_id, territory_id)
);

create table northwind.employees (
    employee_id smallint not null,
    last_name text not null,
    first_name text not null,
    title text,
    hire_date date,
    city text,
    country text,
    reports_to smallint,
    -- leaves out: birth_date, extension, photo, notes
    primary key (employee_id)
);

create table northwind.order_details (
    order_id integer not null,
    product_id smallint not null,
    unit_price numeric(10, 2) not null,
    quantity smallint not null,
    -- carried from real
    discount text not null,
    primary key (order_id, product_id)
);

create table northwind.orders (
    order_id integer not null,
    -- carried from character(5)
    customer_id text,
    employee_id smallint,
    order_date date not null,
    required_date date,
    shipped_date date,
    ship_via smallint,
    freight numeric(10, 2) not null,
    ship_city text,
    ship_country text,
    -- leaves out: ship_name, ship_address, ship_region, ship_postal_code
    primary key (order_id)
);

create table northwind.products (
    product_id smallint not null,
    product_name text not null,
    supplier_id smallint,
    category_id smallint,
    quantity_per_unit text,
    unit_price numeric(10, 2) not null,
    discontinued boolean not null,
    -- leaves out: units_in_stock, units_on_order, reorder_level
    primary key (product_id)
);

create table northwind.region (
    region_id smallint not null,
    region_description text not null,
    primary key (region_id)
);

create table northwind.shippers (
    shipper_id smallint not null,
    company_name text not null,
    -- leaves out: phone
    primary key (shipper_id)
);

create table northwind.suppliers (
    supplier_id smallint not null,
    company_name text not null,
    city text,
    country text,
    -- leaves out: contact_name, phone, homepage
    primary key (supplier_id)
);

create table northwind.territories (
    territory_id text not null,
    territory_description text not null,
    region_id smallint not null,
    primary key (territory_id)
);
