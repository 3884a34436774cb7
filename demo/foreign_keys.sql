-- The references between the source's tables, and the indexes without which
-- deleting an order would scan the tables that refer to it.

alter table staff
    add foreign key (department_id) references department;
alter table counterparty
    add foreign key (legal_address_id) references address;
alter table sales_order
    add foreign key (design_id) references design,
    add foreign key (staff_id) references staff,
    add foreign key (counterparty_id) references counterparty,
    add foreign key (currency_id) references currency,
    add foreign key (agreed_delivery_location_id) references address;
alter table purchase_order
    add foreign key (staff_id) references staff,
    add foreign key (counterparty_id) references counterparty,
    add foreign key (currency_id) references currency,
    add foreign key (agreed_delivery_location_id) references address;
alter table transaction
    add foreign key (sales_order_id) references sales_order,
    add foreign key (purchase_order_id) references purchase_order;
alter table payment
    add foreign key (transaction_id) references transaction,
    add foreign key (counterparty_id) references counterparty,
    add foreign key (currency_id) references currency,
    add foreign key (payment_type_id) references payment_type;

create index on transaction (sales_order_id);
create index on transaction (purchase_order_id);
create index on payment (transaction_id);
