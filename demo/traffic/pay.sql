-- A payment run is entered: a few open payments were paid one to six days after
-- they arose.
with due as (
    select payment_id
    from payment
    where
        not paid
        and payment_id >= demo_traffic.draw(
            $1, 'payment', (select max(payment_id) from payment)
        )
    order by payment_id
    limit 1 + demo_traffic.draw($1, 'payments', 2)
    for update skip locked
),

paid_now as (
    update payment
    set
        paid = true,
        payment_date = to_char(
            least(
                demo_traffic.stamp(),
                payment.created_at + interval '1 day' * (
                    1 + demo_traffic.draw($1, 'paid after', 6)
                )
            ),
            'YYYY-MM-DD'
        ),
        last_updated = demo_traffic.stamp()
    from due
    where payment.payment_id = due.payment_id
    returning payment.payment_id
)

select 'payment' as table_name, count(*)::integer as row_count from paid_now
