-- How far the warehouse was behind the source over the last day, in minutes:
-- the worst value in each minute with a load, which is just before it, and now.
-- Batches loaded within a tenth of a second came with one load, so nobody saw
-- the warehouse in between.
with

-- The last batch before that day shows how old the data was at its first load.
loads as (
    select
        loaded_at,
        snapshot_time
    from pipeline.batch
    where loaded_at > statement_timestamp() - interval '1 day'
    union all
    (
        select
            loaded_at,
            snapshot_time
        from pipeline.batch
        where loaded_at <= statement_timestamp() - interval '1 day'
        order by batch desc
        limit 1
    )
),

followed as (
    select
        loaded_at,
        max(snapshot_time) over (
            order by loaded_at
            range between unbounded preceding and interval '0.1 s' preceding
        ) as snapshot_before
    from loads
),

newest as (
    select snapshot_time
    from pipeline.batch
    order by batch desc
    limit 1
),

moments as (
    select
        loaded_at as at,
        loaded_at - snapshot_before as age
    from followed
    where
        snapshot_before is not null
        and loaded_at > statement_timestamp() - interval '1 day'
    union all
    select
        clock_timestamp() as at,
        clock_timestamp() - snapshot_time as age
    from newest
)

select
    to_char(
        date_trunc('minute', at) at time zone 'UTC',
        'YYYY-MM-DD"T"HH24:MI"Z"'
    ) as at,
    round(extract(epoch from max(age)) / 60, 2) as minutes
from moments
-- A snapshot time in the future, from a wrong clock, has no age.
where age > interval '-1 minute'
group by date_trunc('minute', at)
order by date_trunc('minute', at)
