-- Desks.
--
-- Grain: one row for each desk.
-- Key: desk_id.
-- Reads: changed.desk.

select
    desk_id,
    desk_number,
    place
from changed.desk
