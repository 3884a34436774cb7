-- One of the newest purchase orders is deleted with its transactions and
-- payments.
with chosen as (
    select purchase_order_id
    from purchase_order
    order by purchase_order_id desc
    offset demo_traffic.draw(
        $1, 'order', (select weekly_purchases from demo_traffic.pace)
    )
    limit 1
    for update skip locked
),

children as (
    select transaction.transaction_id
    from transaction
    inner join chosen
        on transaction.purchase_order_id = chosen.purchase_order_id
),

deleted_payment as (
    delete from payment
    using children
    where payment.transaction_id = children.transaction_id
    returning payment.payment_id
),

deleted_transaction as (
    delete from transaction
    using children
    where transaction.transaction_id = children.transaction_id
    returning transaction.transaction_id
),

deleted_order as (
    delete from purchase_order
    using chosen
    where purchase_order.purchase_order_id = chosen.purchase_order_id
    returning purchase_order.purchase_order_id
)

select 'purchase_order' as table_name, count(*)::integer as row_count
from deleted_order
union all
select 'transaction', count(*)::integer from deleted_transaction
union all
select 'payment', count(*)::integer from deleted_payment
