-- Kinds of payment: receipt or refund, of a sale or a purchase.
--
-- Grain: one row for each payment type.
-- Key: payment_type_id.
-- Reads: changed.payment_type.

select
    payment_type_id,
    payment_type_name
from changed.payment_type
