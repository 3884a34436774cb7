-- Products, each with its category and its supplier.
--
-- Grain: one row for each product.
-- Key: product_id.
-- Reads: current.products, current.categories, current.suppliers.
-- Not null: product_name, list_price, is_discontinued.
-- Columns:
--   list_price: what it costs now; fact_order_line has what was agreed.
-- Why: it combines three source tables, since analysts group products by
-- columns of the other two; a product without category or supplier stays.

with products as (
    select
        product_id,
        product_name,
        quantity_per_unit,
        unit_price,
        discontinued,
        category_id,
        supplier_id
    from current.products
),

categories as (
    select
        category_id,
        category_name
    from current.categories
),

suppliers as (
    select
        supplier_id,
        company_name,
        country
    from current.suppliers
)

select
    products.product_id,
    products.product_name,
    products.quantity_per_unit,
    products.unit_price as list_price,
    products.discontinued as is_discontinued,
    categories.category_name,
    suppliers.company_name as supplier_name,
    suppliers.country as supplier_country
from products
left join categories
    on categories.category_id = products.category_id
left join suppliers
    on suppliers.supplier_id = products.supplier_id
