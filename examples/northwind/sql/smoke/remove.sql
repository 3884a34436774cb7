-- Removes the row of sql/smoke/write.sql from the source.
delete from northwind.orders
where order_id = $1
