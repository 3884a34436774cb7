-- The application database of Northwind, a food wholesaler. The pipeline does
-- not know this file; `./totesys init` reads the resulting catalogue. fill.sql
-- generates the rows.

create schema northwind;

create table northwind.categories (
    category_id smallint primary key,
    category_name varchar(15) not null,
    description text,
    picture bytea
);

create table northwind.suppliers (
    supplier_id smallint primary key,
    company_name varchar(40) not null,
    contact_name varchar(30),
    city varchar(15),
    country varchar(15),
    phone varchar(24),
    homepage text
);

create table northwind.products (
    product_id smallint primary key,
    product_name varchar(40) not null,
    supplier_id smallint references northwind.suppliers,
    category_id smallint references northwind.categories,
    quantity_per_unit varchar(20),
    unit_price numeric(10, 2) not null,
    units_in_stock smallint not null,
    units_on_order smallint not null,
    reorder_level smallint not null,
    discontinued boolean not null
);

create table northwind.customers (
    customer_id char(5) primary key,
    company_name varchar(40) not null,
    contact_name varchar(30),
    contact_title varchar(30),
    address varchar(60),
    city varchar(15),
    region varchar(15),
    postal_code varchar(10),
    country varchar(15),
    phone varchar(24),
    fax varchar(24)
);

create table northwind.employees (
    employee_id smallint primary key,
    last_name varchar(20) not null,
    first_name varchar(10) not null,
    title varchar(30),
    birth_date date,
    hire_date date,
    city varchar(15),
    country varchar(15),
    extension varchar(4),
    photo bytea,
    notes text,
    reports_to smallint references northwind.employees
);

create table northwind.region (
    region_id smallint primary key,
    region_description varchar(60) not null
);

create table northwind.territories (
    territory_id varchar(20) primary key,
    territory_description varchar(60) not null,
    region_id smallint not null references northwind.region
);

create table northwind.employee_territories (
    employee_id smallint not null references northwind.employees,
    territory_id varchar(20) not null references northwind.territories,
    primary key (employee_id, territory_id)
);

create table northwind.shippers (
    shipper_id smallint primary key,
    company_name varchar(40) not null,
    phone varchar(24)
);

create table northwind.orders (
    order_id integer primary key,
    customer_id char(5) references northwind.customers,
    employee_id smallint references northwind.employees,
    order_date date not null,
    required_date date,
    shipped_date date,
    ship_via smallint references northwind.shippers,
    freight numeric(10, 2) not null default 0,
    ship_name varchar(40),
    ship_address varchar(60),
    ship_city varchar(15),
    ship_region varchar(15),
    ship_postal_code varchar(10),
    ship_country varchar(15)
);

create table northwind.order_details (
    order_id integer not null references northwind.orders on delete cascade,
    product_id smallint not null references northwind.products,
    unit_price numeric(10, 2) not null,
    quantity smallint not null,
    discount real not null default 0,
    primary key (order_id, product_id)
);

comment on column northwind.employees.reports_to is 'The manager.';
comment on column northwind.order_details.unit_price is
    'What the product cost when it was ordered, without discount.';
comment on column northwind.order_details.discount is
    'The share of the price that is let off: 0.15 is 15 %.';

create index on northwind.order_details (product_id);
