-- Payments: what is paid, due and overdue, by the day of the snapshot.
--
-- Record: fact_payment.
-- Time: payment_date.
-- Measures:
--   payments: count
--   value: money by currency
-- Dimensions:
--   counterparty: counterparty_id -> dim_counterparty.counterparty_legal_name
--   kind: payment_type_id -> dim_payment_type.payment_type_name
--   state
--   currency: currency_id -> dim_currency.currency_code
-- Stacked by: state is overdue, due, paid.
-- Due: payment_date.
-- Cards:
--   owed: Owed to us, where kind is SALES_RECEIPT, PURCHASE_REFUND
--   owing: We owe, where kind is PURCHASE_PAYMENT, SALES_REFUND

select
    payments.payment_id,
    payments.payment_date,
    payments.counterparty_id,
    payments.payment_type_id,
    payments.currency_id,
    case
        when payments.paid then 'paid'
        when payments.payment_date < as_of.day then 'overdue'
        else 'due'
    end as state,
    payments.payment_amount as value
from fact_payment as payments
cross join as_of
