-- What changed in the facts after a batch ($1) up to another ($2), the old and
-- the new side by side; of each fact so many rows at most: $3.
with

sales as (
    select
        'sales order' as fact,
        coalesce(later.sales_order_id, earlier.sales_order_id) as key,
        to_jsonb(earlier) as before,
        to_jsonb(later) as after
    from (
        select * from fact_sales_order
        where
            from_batch > $1
            and from_batch <= $2
            and (to_batch is null or to_batch > $2)
    ) as later
    full outer join (
        select * from fact_sales_order
        where from_batch <= $1 and to_batch > $1 and to_batch <= $2
    ) as earlier
        on later.sales_order_id = earlier.sales_order_id
    order by key
    limit $3
),

purchases as (
    select
        'purchase order' as fact,
        coalesce(later.purchase_order_id, earlier.purchase_order_id) as key,
        to_jsonb(earlier) as before,
        to_jsonb(later) as after
    from (
        select * from fact_purchase_order
        where
            from_batch > $1
            and from_batch <= $2
            and (to_batch is null or to_batch > $2)
    ) as later
    full outer join (
        select * from fact_purchase_order
        where from_batch <= $1 and to_batch > $1 and to_batch <= $2
    ) as earlier
        on later.purchase_order_id = earlier.purchase_order_id
    order by key
    limit $3
),

payments as (
    select
        'payment' as fact,
        coalesce(later.payment_id, earlier.payment_id) as key,
        to_jsonb(earlier) as before,
        to_jsonb(later) as after
    from (
        select * from fact_payment
        where
            from_batch > $1
            and from_batch <= $2
            and (to_batch is null or to_batch > $2)
    ) as later
    full outer join (
        select * from fact_payment
        where from_batch <= $1 and to_batch > $1 and to_batch <= $2
    ) as earlier
        on later.payment_id = earlier.payment_id
    order by key
    limit $3
)

select * from sales
union all
select * from purchases
union all
select * from payments
