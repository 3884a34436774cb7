-- The calendar: every date that an order names.
--
-- Grain: one row for each date.
-- Key: date_id.
-- Reads: changed.orders.
-- Maintained: append only.
-- Columns:
--   day_of_week: from 1, Monday, to 7.
-- Why: the day of the week is counted from 0001-01-01, a Monday, since engines
-- differ in their functions for it.

with dates as (
    select order_date as date_id
    from changed.orders
    union
    select required_date as date_id
    from changed.orders
    union
    select shipped_date as date_id
    from changed.orders
)

select
    date_id,
    cast(extract(year from date_id) as integer) as year,
    cast(extract(quarter from date_id) as integer) as quarter,
    cast(extract(month from date_id) as integer) as month,
    cast(extract(day from date_id) as integer) as day,
    cast(
        date_diff('day', date '0001-01-01', date_id) % 7 + 1 as integer
    ) as day_of_week
from dates
where date_id between date '0001-01-01' and date '9999-12-31'
