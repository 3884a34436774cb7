-- Finds the orders of a design that got another name. A warehouse of an earlier
-- version has this index, by this name.

create index if not exists fact_sales_order_design_id_idx
on fact_sales_order (design_id);

-- A warehouse of an earlier version lacks these of the quarantine.

create index if not exists quarantine_from_batch_idx on quarantine (from_batch);
create index if not exists quarantine_to_batch_idx on quarantine (to_batch)
where to_batch is not null;
