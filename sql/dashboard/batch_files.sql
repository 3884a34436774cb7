-- The files of the lake that a batch ($1) brought, as its manifest lists them.
select
    model,
    key,
    rows,
    bytes,
    sha256
from pipeline.batch_file
where batch = $1
order by key
