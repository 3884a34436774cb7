-- What analysts read: of every fact, dimension and of the quarantine the
-- current state, the history, and the state as of a batch or a time. Made from
-- the catalogue, so that all of them mean the same.
--
-- An interval holds from its start up to, and not including, its end:
-- from_batch <= N < to_batch and valid_from <= t < valid_to.
--
-- Of a dimension a table's own row is its newest version; the older ones are
-- in <dimension>_closed. Placeholders are in none of the views.

do $$
declare
    relation record;
    history_sql text;
    current_sql text;
begin
    for relation in
        select
            tables.relname as table_name,
            bool_or(columns.attname = 'is_placeholder') as is_dimension,
            string_agg(
                format('%I', columns.attname), ', ' order by columns.attnum
            ) filter (where columns.attname <> 'is_placeholder') as column_list
        from pg_class as tables
        inner join pg_attribute as columns
            on columns.attrelid = tables.oid
            and columns.attnum > 0
            and not columns.attisdropped
        where tables.relnamespace
            = to_regnamespace(quote_ident(current_schema()))
            and tables.relkind = 'r'
            and tables.relname not like '%\_closed'
        group by tables.oid, tables.relname
        having bool_or(columns.attname = 'from_batch')
            and bool_or(columns.attname = 'to_batch')
            and bool_or(columns.attname = 'valid_from')
            and bool_or(columns.attname = 'valid_to')
        order by tables.relname
    loop
        history_sql := format(
            'select %s from %I.%I',
            relation.column_list,
            current_schema(),
            relation.table_name
        );
        current_sql := history_sql || ' where to_batch is null';

        if relation.is_dimension then
            history_sql := format(
                '%s where not is_placeholder union all select %s from %I.%I',
                history_sql,
                relation.column_list,
                current_schema(),
                relation.table_name || '_closed'
            );
            current_sql := current_sql || ' and not is_placeholder';
        end if;

        execute format(
            'create view %I as %s',
            relation.table_name || '_current',
            current_sql
        );
        execute format(
            'comment on view %I is %L',
            relation.table_name || '_current',
            'What ' || relation.table_name || ' holds as of the newest batch.'
        );
        execute format(
            'create view %I as %s',
            relation.table_name || '_history',
            history_sql
        );
        execute format(
            'comment on view %I is %L',
            relation.table_name || '_history',
            'Every version of every row of ' || relation.table_name
                || ', with the interval in which it held.'
        );

        execute format(
            'create function %I(batch_number bigint) returns setof %I'
            ' language sql stable as %L',
            relation.table_name || '_as_of_batch',
            relation.table_name || '_history',
            format(
                'select * from %I.%I where from_batch <= $1'
                ' and (to_batch is null or to_batch > $1)',
                current_schema(),
                relation.table_name || '_history'
            )
        );
        execute format(
            'comment on function %I(bigint) is %L',
            relation.table_name || '_as_of_batch',
            'What ' || relation.table_name || ' held after batch $1.'
        );
        execute format(
            'create function %I(moment timestamptz) returns setof %I'
            ' language sql stable as %L',
            relation.table_name || '_as_of_time',
            relation.table_name || '_history',
            format(
                'select * from %I.%I where valid_from <= $1'
                ' and (valid_to is null or valid_to > $1)',
                current_schema(),
                relation.table_name || '_history'
            )
        );
        execute format(
            'comment on function %I(timestamptz) is %L',
            relation.table_name || '_as_of_time',
            'What ' || relation.table_name || ' held at time $1, by the'
                || ' snapshot times of the batches.'
        );
    end loop;
end
$$;

-- The columns of history mean the same everywhere.
do $$
declare
    history_column record;
begin
    for history_column in
        select
            relations.relkind,
            relations.relname as relation_name,
            columns.attname as column_name,
            case columns.attname
                when 'valid_from' then
                    'Snapshot time of the batch that brought this version.'
                when 'valid_to' then
                    'Snapshot time of the batch that brought its successor'
                    ' or delete; null while it holds.'
                when 'from_batch' then
                    'The batch that brought this version.'
                when 'to_batch' then
                    'The batch that brought its successor or delete;'
                    ' null while it holds.'
                when 'is_placeholder' then
                    'True for a key that a fact names and the source lacks.'
            end as meaning
        from pg_class as relations
        inner join pg_attribute as columns
            on columns.attrelid = relations.oid
        where relations.relnamespace
            = to_regnamespace(quote_ident(current_schema()))
            and relations.relkind in ('r', 'v')
            and columns.attname in (
                'valid_from',
                'valid_to',
                'from_batch',
                'to_batch',
                'is_placeholder'
            )
    loop
        execute format(
            'comment on column %I.%I is %L',
            history_column.relation_name,
            history_column.column_name,
            history_column.meaning
        );
    end loop;
end
$$;
