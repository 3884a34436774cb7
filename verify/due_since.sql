-- When the warehouse was last verified; if never, when its first batch came.
select
    to_char(
        coalesce(
            (
                select max(verified_at)
                from pipeline.verification
                where batch = (select max(batch) from pipeline.verification)
            ),
            (
                select loaded_at
                from pipeline.batch
                order by batch
                limit 1
            )
        ),
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) as since
