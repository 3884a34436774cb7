-- Removes the row of sql/smoke/write.sql from the source.
delete from design
where design_id = $1
