-- Places that orders are delivered to.
--
-- Grain: one row for each address of the source.
-- Key: location_id.
-- Reads: changed.address.
-- Why: all addresses are here, also those that only counterparties have: an
-- order may name any of them.

select
    address_id as location_id,
    address_line_1,
    address_line_2,
    district,
    city,
    postal_code,
    country,
    phone
from changed.address
