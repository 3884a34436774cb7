-- Orders: how many there are, and which of them wait for their delivery.
--
-- Record: fact_order.
-- Time: order_date.
-- Measures:
--   orders: count
--   freight: money in USD
-- Dimensions:
--   customer: customer_id -> dim_customer.company_name
--   country: ship_country
--   state
-- Stacked by: state is late, open, shipped.
-- Due: required_date.
-- Cards:
--   deliveries: Freight of deliveries

select
    orders.order_id,
    orders.order_date,
    orders.required_date,
    orders.customer_id,
    orders.ship_country,
    case
        when orders.shipped_date is not null then 'shipped'
        when orders.required_date < as_of.day then 'late'
        else 'open'
    end as state,
    orders.freight
from fact_order as orders
cross join as_of
