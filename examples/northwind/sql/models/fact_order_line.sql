-- Lines of orders: how much of which product, at what price.
--
-- Grain: one row for each product of an order.
-- Key: order_id, product_id.
-- Reads: changed.order_details.
-- References: product_id -> dim_product.
-- Not null: unit_price, quantity, discount, net_amount.
-- Columns:
--   order_id: of the order in fact_order, which has customer and dates.
--   unit_price: what the product cost when it was ordered, without discount.
--   discount: the share of the price that is let off; 0.15 is 15 %.
--   net_amount: what the customer pays for the line.
-- Why: it reads one source row at a time, so a run costs only what changed; a
-- join with orders would be computed over all of them. The discount is a float
-- in the source, carried as its text, and becomes an exact number here; values
-- outside 0 to 1 were set aside by quarantine/order_details.sql.

select
    order_id,
    product_id,
    unit_price,
    quantity,
    cast(discount as decimal(5, 4)) as discount,
    cast(
        unit_price * quantity * (1 - cast(discount as decimal(5, 4)))
        as decimal(15, 2)
    ) as net_amount
from changed.order_details
