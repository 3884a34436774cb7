-- A row that no application would write, for `./totesys smoke`.
insert into northwind.orders (order_id, order_date, ship_name)
values ($1, current_date, 'Smoke test')
