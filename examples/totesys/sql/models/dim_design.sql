-- Designs of what is sold, and where their files are.
--
-- Grain: one row for each design.
-- Key: design_id.
-- Reads: changed.design.

select
    design_id,
    design_name,
    file_location,
    file_name
from changed.design
