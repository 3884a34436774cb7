-- Shippers, which deliver the orders.
--
-- Grain: one row for each shipper.
-- Key: shipper_id.
-- Reads: changed.shippers.
-- Not null: shipper_name.

select
    shipper_id,
    company_name as shipper_name
from changed.shippers
