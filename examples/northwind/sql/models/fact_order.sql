-- Orders: buyer, seller, dates and destination.
--
-- Grain: one row for each order.
-- Key: order_id.
-- Reads: changed.orders.
-- References: customer_id -> dim_customer, employee_id -> dim_employee,
--   shipper_id -> dim_shipper, order_date -> dim_date,
--   required_date -> dim_date, shipped_date -> dim_date.
-- Not null: order_date, freight.
-- Columns:
--   required_date: when the customer wants it at the latest.
--   shipped_date: null until it is shipped.

select
    order_id,
    customer_id,
    employee_id,
    ship_via as shipper_id,
    order_date,
    required_date,
    shipped_date,
    freight,
    ship_city,
    ship_country
from changed.orders
