-- A deleted payment comes back under its old key.
with chosen as (
    select deleted_payment.payment_id
    from demo_traffic.deleted_payment
    inner join transaction
        on transaction.transaction_id
            = (deleted_payment.payment ->> 'transaction_id')::integer
    order by deleted_payment.payment_id
    limit 1
    for update skip locked
),

taken as (
    delete from demo_traffic.deleted_payment
    using chosen
    where deleted_payment.payment_id = chosen.payment_id
    returning deleted_payment.payment
),

restored as (
    insert into payment
    select restored_row.*
    from taken
    cross join jsonb_populate_record(
        null::payment,
        taken.payment || jsonb_build_object(
            'last_updated', demo_traffic.stamp(),
            'company_ac_number',
            10000000 + demo_traffic.draw($1, 'company account', 90000000)
        )
    ) as restored_row
    returning payment_id
)

select 'payment' as table_name, count(*)::integer as row_count from restored
