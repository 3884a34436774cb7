-- Payments: what was or is to be paid, for which transaction, and when.
--
-- Grain: one row for each payment.
-- Key: payment_id.
-- Reads: changed.payment.
-- References: created_date -> dim_date, last_updated_date -> dim_date,
-- transaction_id -> dim_transaction, counterparty_id -> dim_counterparty,
-- currency_id -> dim_currency, payment_type_id -> dim_payment_type,
-- payment_date -> dim_date.
-- Not null: created_date, created_time, last_updated_date, last_updated_time,
-- transaction_id, counterparty_id, payment_amount, currency_id,
-- payment_type_id, paid, payment_date.
-- Times of day: created_time, last_updated_time.
-- Why: times of day are text, since not every engine stores a TIME; the views
-- and the warehouse turn them into one. The payment date is a plain cast: rows
-- in which it is no date were set aside by sql/quarantine/payment.sql. Account
-- numbers stay in the source: analysts have no use for them.

select
    payment_id,
    cast(created_at as date) as created_date,
    cast(cast(created_at as time) as varchar) as created_time,
    cast(last_updated as date) as last_updated_date,
    cast(cast(last_updated as time) as varchar) as last_updated_time,
    transaction_id,
    counterparty_id,
    payment_amount,
    currency_id,
    payment_type_id,
    paid,
    cast(payment_date as date) as payment_date
from changed.payment
