-- Items.
--
-- Grain: one row for each item.
-- Key: sku.
-- Reads: changed.item.

select
    sku,
    title,
    details
from changed.item
