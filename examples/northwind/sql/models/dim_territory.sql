-- Sales territories, each with its region.
--
-- Grain: one row for each territory.
-- Key: territory_id.
-- Reads: current.territories, current.region.
-- Not null: territory_name.

with territories as (
    select
        territory_id,
        territory_description,
        region_id
    from current.territories
),

regions as (
    select
        region_id,
        region_description
    from current.region
)

select
    territories.territory_id,
    territories.territory_description as territory_name,
    regions.region_description as region_name
from territories
left join regions
    on regions.region_id = territories.region_id
