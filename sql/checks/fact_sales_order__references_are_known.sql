-- What a sales order refers to is in the source.
--
-- Severity: warning
-- Why: the source keeps its references whole, so a placeholder in a dimension
-- means that it no longer does, or that the row was not read.

with placeholders as (
    select
        orders.sales_order_id,
        'staff ' || orders.sales_staff_id as missing
    from checked_fact_sales_order as orders
    inner join dim_staff as dimension
        on dimension.staff_id = orders.sales_staff_id
    where orders.to_batch is null
        and dimension.is_placeholder
    union all
    select
        orders.sales_order_id,
        'counterparty ' || orders.counterparty_id as missing
    from checked_fact_sales_order as orders
    inner join dim_counterparty as dimension
        on dimension.counterparty_id = orders.counterparty_id
    where orders.to_batch is null
        and dimension.is_placeholder
    union all
    select
        orders.sales_order_id,
        'currency ' || orders.currency_id as missing
    from checked_fact_sales_order as orders
    inner join dim_currency as dimension
        on dimension.currency_id = orders.currency_id
    where orders.to_batch is null
        and dimension.is_placeholder
    union all
    select
        orders.sales_order_id,
        'design ' || orders.design_id as missing
    from checked_fact_sales_order as orders
    inner join dim_design as dimension
        on dimension.design_id = orders.design_id
    where orders.to_batch is null
        and dimension.is_placeholder
    union all
    select
        orders.sales_order_id,
        'location ' || orders.agreed_delivery_location_id as missing
    from checked_fact_sales_order as orders
    inner join dim_location as dimension
        on dimension.location_id = orders.agreed_delivery_location_id
    where orders.to_batch is null
        and dimension.is_placeholder
)

select
    cast(sales_order_id as text) as key,
    'refers to what the source lacks: '
        || string_agg(missing, ', ' order by missing) as finding
from placeholders
group by sales_order_id
