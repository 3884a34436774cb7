-- Transactions: the order, sale or purchase, that a payment is for.
--
-- Grain: one row for each transaction.
-- Key: transaction_id.
-- Reads: changed.transaction.
-- Why: of the two order ids one is null, as transaction_type says.

select
    transaction_id,
    transaction_type,
    sales_order_id,
    purchase_order_id
from changed.transaction
