-- A copy of an existing design, under a new file name.
with new_design as (
    insert into design
    select
        nextval('demo_traffic.design_id'),
        demo_traffic.stamp(),
        design_name,
        file_location,
        lower(design_name) || to_char(demo_traffic.stamp(), '-YYYYMMDD-')
            || substr(md5($1::bigint::text), 1, 4) || '.json',
        demo_traffic.stamp()
    from design
    where design_id = demo_traffic.some_design($1)
    returning *
)

select 'design' as table_name, count(*)::integer as row_count from new_design
