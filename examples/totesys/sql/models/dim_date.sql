-- The calendar: every date that a fact names.
--
-- Grain: one row for each date.
-- Key: date_id.
-- Reads: changed.sales_order, changed.purchase_order, changed.payment.
-- Why: derived from the facts, so that no year is out of its range. The day of
-- the week is counted from 0001-01-01, a Monday, and names are spelt out:
-- engines differ in their functions for either.

with dates as (
    select cast(created_at as date) as date_id
    from changed.sales_order
    union
    select cast(last_updated as date) as date_id
    from changed.sales_order
    union
    select cast(agreed_payment_date as date) as date_id
    from changed.sales_order
    union
    select cast(agreed_delivery_date as date) as date_id
    from changed.sales_order
    union
    select cast(created_at as date) as date_id
    from changed.purchase_order
    union
    select cast(last_updated as date) as date_id
    from changed.purchase_order
    union
    select cast(agreed_delivery_date as date) as date_id
    from changed.purchase_order
    union
    select cast(agreed_payment_date as date) as date_id
    from changed.purchase_order
    union
    select cast(created_at as date) as date_id
    from changed.payment
    union
    select cast(last_updated as date) as date_id
    from changed.payment
    union
    select cast(payment_date as date) as date_id
    from changed.payment
),

parts as (
    select
        date_id,
        extract(year from date_id) as year_number,
        extract(month from date_id) as month_number,
        extract(day from date_id) as day_number,
        date_diff('day', date '0001-01-01', date_id) % 7 + 1 as weekday_number,
        extract(quarter from date_id) as quarter_number
    from dates
    where date_id is not null
)

select
    date_id,
    cast(year_number as integer) as year,
    cast(month_number as integer) as month,
    cast(day_number as integer) as day,
    cast(weekday_number as integer) as day_of_week,
    cast(
        case weekday_number
            when 1 then 'Monday'
            when 2 then 'Tuesday'
            when 3 then 'Wednesday'
            when 4 then 'Thursday'
            when 5 then 'Friday'
            when 6 then 'Saturday'
            when 7 then 'Sunday'
        end as varchar
    ) as day_name,
    cast(
        case month_number
            when 1 then 'January'
            when 2 then 'February'
            when 3 then 'March'
            when 4 then 'April'
            when 5 then 'May'
            when 6 then 'June'
            when 7 then 'July'
            when 8 then 'August'
            when 9 then 'September'
            when 10 then 'October'
            when 11 then 'November'
            when 12 then 'December'
        end as varchar
    ) as month_name,
    cast(quarter_number as integer) as quarter
from parts
