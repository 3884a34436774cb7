-- Customers, and where they are.
--
-- Grain: one row for each customer.
-- Key: customer_id.
-- Reads: changed.customers.
-- Not null: company_name.
-- Columns:
--   customer_id: five letters, as Northwind has always had them.

select
    customer_id,
    company_name,
    city,
    region,
    postal_code,
    country
from changed.customers
