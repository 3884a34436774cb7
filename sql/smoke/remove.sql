-- Takes the row of sql/smoke/write.sql out of the source again.
delete from design
where design_id = $1
