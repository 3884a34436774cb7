-- Members, each with the place of the desk.
--
-- Grain: one row for each member.
-- Key: member_id.
-- Reads: current.member, current.desk.
-- Why: no constraint of the source keeps two desks from having one number.

select
    members.member_id,
    members.badge,
    desks.desk_number,
    desks.place
from current.member as members
left join current.desk as desks
    on desks.desk_number = members.desk_number
