-- Purchases: what was ordered, by whom, where and from whom.
--
-- Record: fact_purchase_order.
-- Time: created_date.
-- Measures:
--   orders: count
--   units: number
--   value: money by currency
-- Dimensions:
--   counterparty: counterparty_id -> dim_counterparty.counterparty_legal_name
--   country: agreed_delivery_location_id -> dim_location.country
--   department: staff_id -> dim_staff.department_name
--   staff: staff_id -> dim_staff.first_name + last_name, within department
--   currency: currency_id -> dim_currency.currency_code

select
    purchase_order_id,
    created_date,
    counterparty_id,
    staff_id,
    agreed_delivery_location_id,
    item_code,
    currency_id,
    item_quantity as units,
    item_unit_price as unit_price,
    item_quantity * item_unit_price as value
from fact_purchase_order
