-- Makes functions that are there again as well, as `rebuild warehouse` wants it
-- for those that somebody replaced. The rest is as it was.

create or replace procedure pipeline.make_views(table_name name)
language plpgsql
as $$
declare
    relation regclass := cast(quote_ident(table_name) as regclass);
    closed_table regclass := to_regclass(quote_ident(table_name || '_closed'));
    schema_name name;
    is_dimension boolean;
    column_list text;
    history_sql text;
    current_sql text;
    made record;
    signature text;
    was_there boolean;
begin
    select
        pg_class.relnamespace::regnamespace::text,
        bool_or(pg_attribute.attname = 'is_placeholder'),
        string_agg(
            quote_ident(pg_attribute.attname), ', '
            order by pg_attribute.attnum
        ) filter (
            where
            pg_attribute.attname <> 'is_placeholder'
            -- What somebody gave the dimension alone is in none of its views.
            and (closed_table is null or closed.attname is not null)
        )
    into schema_name, is_dimension, column_list
    from pg_class
    inner join pg_attribute
        on pg_attribute.attrelid = pg_class.oid
        and pg_attribute.attnum > 0
        and not pg_attribute.attisdropped
    left join pg_attribute as closed
        on closed.attrelid = closed_table
        and closed.attname = pg_attribute.attname
        and not closed.attisdropped
    where pg_class.oid = relation
    group by pg_class.oid;

    history_sql := format(
        'select %s from %s.%I', column_list, schema_name, table_name
    );
    current_sql := history_sql || ' where to_batch is null';

    if is_dimension then
        history_sql := format(
            '%s where not is_placeholder union all select %s from %s.%I',
            history_sql,
            column_list,
            schema_name,
            table_name || '_closed'
        );
        current_sql := current_sql || ' and not is_placeholder';
    end if;

    for made in
        select
            format('%s.%I', schema_name, views.name) as name,
            views.select_sql,
            views.meaning
        from (
            values
            (
                table_name || '_current',
                current_sql,
                'What ' || table_name || ' holds as of the newest batch.'
            ),
            (
                table_name || '_history',
                history_sql,
                'Every version of every row of ' || table_name
                    || ', with the interval in which it held.'
            )
        ) as views (name, select_sql, meaning)
    loop
        if to_regclass(made.name) is null then
            execute format('create view %s as %s', made.name, made.select_sql);
            execute format('comment on view %s is %L', made.name, made.meaning);
        else
            execute format(
                'create or replace view %s %s as %s',
                made.name,
                (
                    select
                        'with (' || array_to_string(reloptions, ', ') || ')'
                    from pg_class
                    where oid = to_regclass(made.name)
                ),
                made.select_sql
            );
        end if;
    end loop;

    for made in
        select
            format('%s.%I', schema_name, functions.name) as name,
            functions.argument,
            functions.argument_type,
            functions.since,
            functions.until,
            functions.meaning
        from (
            values
            (
                table_name || '_as_of_batch',
                'batch_number',
                'bigint',
                'from_batch',
                'to_batch',
                'What ' || table_name || ' held after batch $1.'
            ),
            (
                table_name || '_as_of_time',
                'moment',
                'timestamptz',
                'valid_from',
                'valid_to',
                'What ' || table_name || ' held at time $1, by the'
                    || ' snapshot times of the batches.'
            )
        ) as functions (name, argument, argument_type, since, until, meaning)
    loop
        signature := format('%s(%s)', made.name, made.argument_type);
        was_there := to_regprocedure(signature) is not null;

        execute format(
            'create or replace function %s(%s %s) returns setof %s.%I'
            ' language sql stable as %L',
            made.name,
            made.argument,
            made.argument_type,
            schema_name,
            table_name || '_history',
            format(
                'select * from %s.%I where %I <= $1'
                ' and (%I is null or %I > $1)',
                schema_name,
                table_name || '_history',
                made.since,
                made.until,
                made.until
            )
        );
        continue when was_there;

        execute format('comment on function %s is %L', signature, made.meaning);
    end loop;
end
$$;

comment on procedure pipeline.make_views(name) is
    'Makes the views and functions of a table, with all of its columns.';
