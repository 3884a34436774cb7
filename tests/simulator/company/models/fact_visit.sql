-- Visits of an address on a day.
--
-- Grain: one row for each address and day.
-- Key: visited_on, address.
-- Reads: changed.visit.

select
    visited_on,
    address,
    amount
from changed.visit
