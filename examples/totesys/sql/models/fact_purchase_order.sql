-- Purchase orders: what was bought, by whom, from whom, at what price.
--
-- Grain: one row for each purchase order.
-- Key: purchase_order_id.
-- Reads: changed.purchase_order.
-- References: created_date -> dim_date, last_updated_date -> dim_date,
-- staff_id -> dim_staff, counterparty_id -> dim_counterparty,
-- currency_id -> dim_currency, agreed_delivery_date -> dim_date,
-- agreed_payment_date -> dim_date,
-- agreed_delivery_location_id -> dim_location.
-- Not null: created_date, created_time, last_updated_date, last_updated_time,
-- staff_id, counterparty_id, item_code, item_quantity, item_unit_price,
-- currency_id, agreed_delivery_date, agreed_payment_date,
-- agreed_delivery_location_id.
-- Times of day: created_time, last_updated_time.
-- Serial number: purchase_record_id.
-- Why: times of day are text, since not every engine stores a TIME; the views
-- and the warehouse turn them into one. Agreed dates are plain casts: rows in
-- which they are no date were set aside by sql/quarantine/purchase_order.sql.

select
    purchase_order_id,
    cast(created_at as date) as created_date,
    cast(cast(created_at as time) as varchar) as created_time,
    cast(last_updated as date) as last_updated_date,
    cast(cast(last_updated as time) as varchar) as last_updated_time,
    staff_id,
    counterparty_id,
    item_code,
    item_quantity,
    item_unit_price,
    currency_id,
    cast(agreed_delivery_date as date) as agreed_delivery_date,
    cast(agreed_payment_date as date) as agreed_payment_date,
    agreed_delivery_location_id
from changed.purchase_order
