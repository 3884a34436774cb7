-- One of the newest sales orders is deleted with its transactions and payments.
with chosen as (
    select sales_order_id
    from sales_order
    order by sales_order_id desc
    offset demo_traffic.draw(
        $1, 'order', (select weekly_sales from demo_traffic.pace)
    )
    limit 1
    for update skip locked
),

children as (
    select transaction.transaction_id
    from transaction
    inner join chosen
        on transaction.sales_order_id = chosen.sales_order_id
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
    delete from sales_order
    using chosen
    where sales_order.sales_order_id = chosen.sales_order_id
    returning sales_order.sales_order_id
)

select 'sales_order' as table_name, count(*)::integer as row_count
from deleted_order
union all
select 'transaction', count(*)::integer from deleted_transaction
union all
select 'payment', count(*)::integer from deleted_payment
