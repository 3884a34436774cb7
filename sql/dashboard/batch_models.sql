-- The versions that a batch ($1) started and ended in each model.
select
    'dim_date' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from dim_date_history
where from_batch = $1 or to_batch = $1
union all
select
    'dim_location' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from dim_location_history
where from_batch = $1 or to_batch = $1
union all
select
    'dim_counterparty' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from dim_counterparty_history
where from_batch = $1 or to_batch = $1
union all
select
    'dim_staff' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from dim_staff_history
where from_batch = $1 or to_batch = $1
union all
select
    'dim_currency' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from dim_currency_history
where from_batch = $1 or to_batch = $1
union all
select
    'dim_design' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from dim_design_history
where from_batch = $1 or to_batch = $1
union all
select
    'dim_payment_type' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from dim_payment_type_history
where from_batch = $1 or to_batch = $1
union all
select
    'dim_transaction' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from dim_transaction_history
where from_batch = $1 or to_batch = $1
union all
select
    'fact_sales_order' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from fact_sales_order_history
where from_batch = $1 or to_batch = $1
union all
select
    'fact_purchase_order' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from fact_purchase_order_history
where from_batch = $1 or to_batch = $1
union all
select
    'fact_payment' as model,
    count(*) filter (where from_batch = $1) as added,
    count(*) filter (where to_batch = $1) as closed
from fact_payment_history
where from_batch = $1 or to_batch = $1
