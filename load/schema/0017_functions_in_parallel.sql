-- Lets queries as of a batch or a time have parallel workers, as those of the
-- current rows have: a query that calls a function not declared safe has none.

do $$
declare
    made regprocedure;
begin
    execute replace(
        pg_get_functiondef('pipeline.make_views(name)'::regprocedure),
        'language sql stable',
        'language sql stable parallel safe'
    );

    -- Those of others, or with another text, stay as they are.
    for made in
        select pg_proc.oid
        from pg_proc
        inner join pg_language on pg_language.oid = pg_proc.prolang
        inner join pg_class as history
            on history.reltype = pg_proc.prorettype
            and history.relname = regexp_replace(
                pg_proc.proname, '_as_of_(batch|time)$', '_history'
            )
        where
            pg_language.lanname = 'sql'
            and pg_proc.proname ~ '_as_of_(batch|time)$'
            and pg_proc.prosrc ~ '^select \* from [^ ]+ where [a-z_]+ <= \$1'
            and pg_has_role(pg_proc.proowner, 'usage')
    loop
        execute format('alter function %s parallel safe', made);
    end loop;
end
$$;
