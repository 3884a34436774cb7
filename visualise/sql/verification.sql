-- The newest verification: one row for each model and place. If `rows` is null,
-- the model could not be compared, and `first_keys` says why.
select
    batch,
    verified_at,
    place,
    model,
    rows,
    differences,
    first_keys
from pipeline.verification
where batch = (select max(batch) from pipeline.verification)
order by rows is not null, differences desc, model, place
