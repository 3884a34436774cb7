-- Lets queries as of a batch or a time have parallel workers, as those of the
-- current rows have: a query that calls a function not declared safe has none.
-- What is another role's, or has another text, stays as it is.

do $$
declare
    make_views regprocedure := to_regprocedure('pipeline.make_views(name)');
    made regprocedure;
begin
    if exists (
        select from pg_proc
        where oid = make_views and pg_has_role(proowner, 'usage')
    ) then
        execute replace(
            pg_get_functiondef(make_views),
            'language sql stable',
            'language sql stable parallel safe'
        );
    end if;

    for made in
        select pg_proc.oid
        from
            (
                values
                ('_as_of_batch', 'from_batch', 'to_batch'),
                ('_as_of_time', 'valid_from', 'valid_to')
            ) as kinds (suffix, since, until)
        inner join pg_proc
            on right(pg_proc.proname, length(kinds.suffix)) = kinds.suffix
        inner join pg_language on pg_language.oid = pg_proc.prolang
        inner join pg_class as history
            on history.reltype = pg_proc.prorettype
        where
            pg_language.lanname = 'sql'
            and pg_proc.proretset
            and pg_proc.prosrc = format(
                'select * from %s.%I'
                ' where %I <= $1 and (%I is null or %I > $1)',
                history.relnamespace::regnamespace,
                history.relname,
                kinds.since,
                kinds.until,
                kinds.until
            )
            and pg_has_role(pg_proc.proowner, 'usage')
    loop
        execute format('alter function %s parallel safe', made);
    end loop;
end
$$;
