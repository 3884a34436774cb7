-- Finds the versions that a batch began or ended without reading all of a fact:
-- for what changed since a batch, and for figures that follow each batch.

create index on fact_sales_order (from_batch);
create index on fact_sales_order (to_batch) where to_batch is not null;

create index on fact_purchase_order (from_batch);
create index on fact_purchase_order (to_batch) where to_batch is not null;

create index on fact_payment (from_batch);
create index on fact_payment (to_batch) where to_batch is not null;

-- Finds the orders of a design that got another name.
create index on fact_sales_order (design_id);
