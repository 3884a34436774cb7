-- Sales: what customers pay, line by line.
--
-- Record: fact_order_line.
-- Time: order_date.
-- Measures:
--   lines: count
--   quantity: number
--   revenue: money in USD, more is good
-- Dimensions:
--   customer: customer_id -> dim_customer.company_name
--   product: product_id -> dim_product.product_name
--   category: product_id -> dim_product.category_name
--   country: ship_country
--   employee: employee_id -> dim_employee.first_name + last_name
-- Why: a line has no day and no customer of its own, so orders are joined.

select
    lines.order_id,
    lines.product_id,
    orders.order_date,
    orders.customer_id,
    orders.ship_country,
    orders.employee_id,
    lines.quantity,
    lines.net_amount as revenue
from fact_order_line as lines
inner join fact_order as orders
    on lines.order_id = orders.order_id
