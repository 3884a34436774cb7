-- Finds the batch of a time without reading those after it.

create index on pipeline.batch (snapshot_time, batch);
