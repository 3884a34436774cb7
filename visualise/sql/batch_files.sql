-- The lake files that a batch ($1) added, as its manifest lists them.
select
    model,
    key,
    rows,
    bytes,
    sha256
from pipeline.batch_file
where batch = $1
order by key
