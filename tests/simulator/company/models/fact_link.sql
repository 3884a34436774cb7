-- Links between devices.
--
-- Grain: one row for each link.
-- Key: lower_id, upper_id.
-- Not null: weight.
-- Reads: changed.link.
-- Why: the key stands here in another order than in the source.

select
    lower_id,
    upper_id,
    weight
from changed.link
