-- Finds what is asked for among the batches of a year without reading all of
-- them: what was loaded in the last day, what a check has found, and which
-- versions of a dimension a batch ended or began.

create index on pipeline.batch (loaded_at);

create index on pipeline.finding (check_name);

do $$
declare
    closed record;
begin
    for closed in
        select tables.relname as name
        from pg_class as tables
        where tables.relnamespace
            = to_regnamespace(quote_ident(current_schema()))
            and tables.relkind = 'r'
            and tables.relname like 'dim\_%\_closed'
            and exists (
                select
                from pg_attribute as columns
                where columns.attrelid = tables.oid
                    and columns.attname = 'to_batch'
            )
        order by tables.relname
    loop
        execute format('create index on %I (from_batch)', closed.name);
        execute format('create index on %I (to_batch)', closed.name);
    end loop;
end
$$;
