-- Readings of meters.
--
-- Grain: one row for each reading.
-- Key: reading_id, taken_on.
-- Reads: changed.reading.

select
    reading_id,
    taken_on,
    amount
from changed.reading
