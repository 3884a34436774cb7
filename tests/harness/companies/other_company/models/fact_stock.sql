-- What is in stock.
--
-- Grain: one row for each item in a warehouse.
-- Key: warehouse_code, item_number.
-- Reads: changed.stock.

select
    warehouse_code,
    item_number,
    quantity
from changed.stock
