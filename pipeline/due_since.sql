-- When the warehouse was last verified; never: when its first batch came.
select
    to_char(
        coalesce(
            (select max(verified_at) from pipeline.verification),
            (select min(loaded_at) from pipeline.batch)
        ),
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) as since
