-- Changes of the facts after one batch ($1) up to another ($2), old and new
-- values side by side; of each fact the first $3 by key.
with

sales_changed as (
    select
        coalesce(later.sales_order_id, earlier.sales_order_id) as key,
        earlier.sales_record_id as earlier_id,
        later.sales_record_id as later_id
    from (
        select
            sales_order_id,
            sales_record_id
        from fact_sales_order
        where
            from_batch > $1
            and from_batch <= $2
            and (to_batch is null or to_batch > $2)
    ) as later
    full outer join (
        select
            sales_order_id,
            sales_record_id
        from fact_sales_order
        where from_batch <= $1 and to_batch > $1 and to_batch <= $2
    ) as earlier
        on later.sales_order_id = earlier.sales_order_id
    order by key
    limit $3
),

purchases_changed as (
    select
        coalesce(later.purchase_order_id, earlier.purchase_order_id) as key,
        earlier.purchase_record_id as earlier_id,
        later.purchase_record_id as later_id
    from (
        select
            purchase_order_id,
            purchase_record_id
        from fact_purchase_order
        where
            from_batch > $1
            and from_batch <= $2
            and (to_batch is null or to_batch > $2)
    ) as later
    full outer join (
        select
            purchase_order_id,
            purchase_record_id
        from fact_purchase_order
        where from_batch <= $1 and to_batch > $1 and to_batch <= $2
    ) as earlier
        on later.purchase_order_id = earlier.purchase_order_id
    order by key
    limit $3
),

payments_changed as (
    select
        coalesce(later.payment_id, earlier.payment_id) as key,
        earlier.payment_record_id as earlier_id,
        later.payment_record_id as later_id
    from (
        select
            payment_id,
            payment_record_id
        from fact_payment
        where
            from_batch > $1
            and from_batch <= $2
            and (to_batch is null or to_batch > $2)
    ) as later
    full outer join (
        select
            payment_id,
            payment_record_id
        from fact_payment
        where from_batch <= $1 and to_batch > $1 and to_batch <= $2
    ) as earlier
        on later.payment_id = earlier.payment_id
    order by key
    limit $3
)

select
    'sales order' as fact,
    changed.key,
    to_jsonb(earlier) as before,
    to_jsonb(later) as after
from sales_changed as changed
left join fact_sales_order as earlier
    on changed.earlier_id = earlier.sales_record_id
left join fact_sales_order as later
    on changed.later_id = later.sales_record_id
union all
select
    'purchase order' as fact,
    changed.key,
    to_jsonb(earlier) as before,
    to_jsonb(later) as after
from purchases_changed as changed
left join fact_purchase_order as earlier
    on changed.earlier_id = earlier.purchase_record_id
left join fact_purchase_order as later
    on changed.later_id = later.purchase_record_id
union all
select
    'payment' as fact,
    changed.key,
    to_jsonb(earlier) as before,
    to_jsonb(later) as after
from payments_changed as changed
left join fact_payment as earlier
    on changed.earlier_id = earlier.payment_record_id
left join fact_payment as later
    on changed.later_id = later.payment_record_id
order by fact desc, key
