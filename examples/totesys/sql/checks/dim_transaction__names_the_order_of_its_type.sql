-- A transaction names an order of its own type, and no other.
--
-- Severity: warning
-- Why: payments are matched to sales and to purchases by these ids.

select
    cast(transaction_id as text) as key,
    format(
        'is a %s with sales_order_id %s, purchase_order_id %s',
        transaction_type,
        coalesce(cast(sales_order_id as text), 'null'),
        coalesce(cast(purchase_order_id as text), 'null')
    ) as finding
from checked_dim_transaction
where to_batch is null
    and (
        transaction_type not in ('SALE', 'PURCHASE')
        or (transaction_type = 'SALE') <> (sales_order_id is not null)
        or (transaction_type = 'PURCHASE') <> (purchase_order_id is not null)
    )
