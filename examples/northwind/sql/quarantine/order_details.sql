-- Lines of this batch that are set aside: their discount is no share.
--
-- Key: order_id, product_id.
-- Reads: arrived.order_details.
-- Why: typed as 15 where 0.15 was meant, it would make the amount negative.

select
    order_id,
    product_id,
    'discount is not between 0 and 1: ' || discount as reason
from arrived.order_details
where (
    try_cast(discount as decimal(5, 4)) between 0 and 1
) is not true
