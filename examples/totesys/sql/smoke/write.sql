-- A row that no application would write, for `./totesys smoke`.
insert into design (
    design_id, created_at, design_name, file_location, file_name, last_updated
)
values (
    $1, now() at time zone 'UTC', 'Smoke test', '/smoke', 'smoke.json',
    now() at time zone 'UTC'
)
