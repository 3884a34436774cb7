-- A payment's amount is not negative.
--
-- Severity: warning
-- Why: the payment type, not the sign, says which way the money goes: a
-- negative refund would be counted as a receipt.

select
    cast(payment_id as text) as key,
    format('payment_amount is %s', payment_amount) as finding
from checked_fact_payment
where to_batch is null
    and payment_amount < 0
