-- A payment is deleted, and kept for restore_payment.sql.
with chosen as (
    select payment_id
    from payment
    where payment_id >= demo_traffic.draw(
        $1, 'payment', (select max(payment_id) from payment)
    )
    order by payment_id
    limit 1
    for update skip locked
),

deleted as (
    delete from payment
    using chosen
    where payment.payment_id = chosen.payment_id
    returning payment.*
),

kept as (
    insert into demo_traffic.deleted_payment
    select payment_id, to_jsonb(deleted) from deleted
)

select 'payment' as table_name, count(*)::integer as row_count from deleted
