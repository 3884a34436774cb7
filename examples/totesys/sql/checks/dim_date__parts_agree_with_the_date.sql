-- The parts of a date agree with the calendar.
--
-- Severity: error
-- Why: reports group by these columns. DuckDB computed them, in SQL that all
-- engines share; PostgreSQL has functions to check them with.

select
    cast(date_id as text) as key,
    format(
        'is %s-%s-%s, quarter %s, day %s of the week, %s, %s',
        year,
        month,
        day,
        quarter,
        day_of_week,
        day_name,
        month_name
    ) as finding
from checked_dim_date as dates
where exists (
        select 1
        from dim_date as known_dates
        where known_dates.date_id = dates.date_id
            and not known_dates.is_placeholder
    )
    and (
        year is distinct from extract(year from date_id)
        or month is distinct from extract(month from date_id)
        or day is distinct from extract(day from date_id)
        or quarter is distinct from extract(quarter from date_id)
        or day_of_week is distinct from extract(isodow from date_id)
        or day_name is distinct from to_char(date_id, 'FMDay')
        or month_name is distinct from to_char(date_id, 'FMMonth')
    )
