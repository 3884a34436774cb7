-- The newest batch whose snapshot was taken by some time before another ($1):
-- by the first of the distances ($2) that there is a batch for; and how many
-- seconds it is short of that time.
select
    taken.batch,
    taken.snapshot_time,
    extract(
        epoch from cast($1 as timestamptz) - far.distance - taken.snapshot_time
    ) as seconds_short
from unnest(cast($2 as interval[])) with ordinality as far (distance, place)
cross join lateral (
    select batch, snapshot_time
    from pipeline.batch
    where snapshot_time <= cast($1 as timestamptz) - far.distance
    order by snapshot_time desc, batch desc
    limit 1
) as taken
order by far.place
limit 1
