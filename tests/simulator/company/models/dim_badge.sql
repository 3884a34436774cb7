-- Badges, each with its bearer.
--
-- Grain: one row for each badge.
-- Key: badge.
-- Reads: current.member.
-- Why: no constraint of the source keeps a badge from being null, or twice.

select
    badge,
    member_id
from current.member
