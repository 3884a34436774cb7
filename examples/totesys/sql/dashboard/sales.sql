-- Sales: what was ordered, by whom, where and from whom.
--
-- Record: fact_sales_order.
-- Time: created_date.
-- Measures:
--   orders: count
--   units: number
--   value: money by currency, more is good
-- Dimensions:
--   counterparty: counterparty_id -> dim_counterparty.counterparty_legal_name
--   country: agreed_delivery_location_id -> dim_location.country
--   design: design_id -> dim_design.design_name, counted by name
--   department: sales_staff_id -> dim_staff.department_name
--   staff: sales_staff_id -> dim_staff.first_name + last_name,
--     within department
--   currency: currency_id -> dim_currency.currency_code

select
    sales_order_id,
    created_date,
    counterparty_id,
    sales_staff_id,
    design_id,
    agreed_delivery_location_id,
    currency_id,
    units_sold as units,
    unit_price,
    units_sold * unit_price as value
from fact_sales_order
