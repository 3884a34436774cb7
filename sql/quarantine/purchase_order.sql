-- Purchase orders of this batch to set aside: one of their dates is not a date.
--
-- Key: purchase_order_id.
-- Reads: arrived.purchase_order.
-- Why: a text counts as a date only if it is written as YYYY-MM-DD, of a year
-- from 0001 to 9999, and is in the calendar. DuckDB would read more than that
-- ('2022-1-5', 'infinity', '0044-03-15 (BC)'), so what it read has to give the
-- same text again. Timestamps of PostgreSQL may be infinite or of other years:
-- neither has a day in the calendar that other engines could hold.

with text_dates as (
    select
        purchase_order_id,
        'agreed_delivery_date' as column_name,
        agreed_delivery_date as date_text,
        try_cast(agreed_delivery_date as date) as date_read
    from arrived.purchase_order
    union all
    select
        purchase_order_id,
        'agreed_payment_date' as column_name,
        agreed_payment_date as date_text,
        try_cast(agreed_payment_date as date) as date_read
    from arrived.purchase_order
),

timestamps as (
    select
        purchase_order_id,
        'created_at' as column_name,
        created_at as stamp
    from arrived.purchase_order
    union all
    select
        purchase_order_id,
        'last_updated' as column_name,
        last_updated as stamp
    from arrived.purchase_order
),

faults as (
    select
        purchase_order_id,
        column_name,
        column_name || ' is no date (YYYY-MM-DD): '
            || coalesce('"' || left(date_text, 40) || '"', 'null') as fault
    from text_dates
    where (
        cast(date_read as varchar) = date_text
        and date_read between date '0001-01-01' and date '9999-12-31'
    ) is not true
    union all
    select
        purchase_order_id,
        column_name,
        column_name || ' is not in the years 0001 to 9999: '
            || coalesce(cast(stamp as varchar), 'null') as fault
    from timestamps
    where (
        stamp >= timestamp '0001-01-01 00:00:00'
        and stamp <= timestamp '9999-12-31 23:59:59.999999'
    ) is not true
)

select
    purchase_order_id,
    string_agg(fault, '; ' order by column_name) as reason
from faults
group by purchase_order_id
