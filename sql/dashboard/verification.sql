-- The newest verification: a row for each model and place.
select
    batch,
    verified_at,
    place,
    model,
    differences
from pipeline.verification
where batch = (select max(batch) from pipeline.verification)
order by differences desc, model, place
