-- What the tables of models lack beside their columns and keys, as statements
-- in their order: indexes of older versions, views and functions, comments.
-- $1: the models as JSON.

with models as (
    select
        given.name,
        given.meaning,
        given.meanings,
        to_regclass(quote_ident(given.name)) as own,
        to_regclass(quote_ident(given.name || '_closed')) as closed
    from jsonb_to_recordset(cast($1 as jsonb)) as given (
        name text,
        meaning text,
        meanings jsonb
    )
),

-- The relations with a model's columns, including those still to be made.
relations as (
    select
        models.name as model,
        models.meanings,
        models.own,
        models.name || suffixes.suffix as name,
        to_regclass(quote_ident(models.name || suffixes.suffix)) as id
    from models
    cross join (
        values (''), ('_closed'), ('_current'), ('_history')
    ) as suffixes (suffix)
    where models.own is not null
        and (suffixes.suffix <> '_closed' or models.closed is not null)
),

history as (
    select
        meant.name,
        meant.meaning
    from (
        values
        (
            'valid_from',
            'Snapshot time of the batch that brought this version.'
        ),
        (
            'valid_to',
            'Snapshot time of the batch that brought its successor or delete;'
            ' null while it holds.'
        ),
        ('from_batch', 'The batch that brought this version.'),
        (
            'to_batch',
            'The batch that brought its successor or delete;'
            ' null while it holds.'
        ),
        (
            'is_placeholder',
            'True for a key that a fact names and the source lacks.'
        )
    ) as meant (name, meaning)
),

-- A header's comments win; those on the columns of history may be others'.
meanings as (
    select
        relations.id,
        relations.name as relation,
        said.key as name,
        said.value as meaning,
        true as counts
    from relations
    cross join lateral jsonb_each_text(relations.meanings) as said
    union all
    select
        relations.id,
        relations.name as relation,
        history.name,
        history.meaning,
        false as counts
    from relations
    cross join history
    where history.name <> 'is_placeholder' or relations.id = relations.own
),

statements as (
    select
        1 as step,
        models.name,
        format(
            'create index on %s (%I)', models.closed, bounds.name
        ) as statement
    from models
    cross join (values ('from_batch'), ('to_batch')) as bounds (name)
    inner join pg_attribute
        on pg_attribute.attrelid = models.closed
        and pg_attribute.attname = bounds.name
    where not exists (
        select
        from pg_index
        where pg_index.indrelid = models.closed
            and pg_index.indkey[0] = pg_attribute.attnum
            and pg_index.indisvalid
            and pg_index.indpred is null
            and pg_index.indexprs is null
    )
    union all
    select
        2 as step,
        models.name,
        format('call pipeline.make_views(%L)', models.name) as statement
    from models
    where models.own is not null
        and (
            to_regclass(quote_ident(models.name || '_current')) is null
            or to_regclass(quote_ident(models.name || '_history')) is null
            or to_regprocedure(
                format('%I(bigint)', models.name || '_as_of_batch')
            ) is null
            or to_regprocedure(
                format('%I(timestamptz)', models.name || '_as_of_time')
            ) is null
        )
    union all
    select
        3 as step,
        models.name,
        format(
            'comment on table %s is %L', models.own, models.meaning
        ) as statement
    from models
    where models.own is not null
        and models.meaning <> ''
        and obj_description(models.own, 'pg_class')
        is distinct from models.meaning
    union all
    select
        3 as step,
        meanings.relation as name,
        format(
            'comment on column %I.%I is %L',
            meanings.relation,
            meanings.name,
            meanings.meaning
        ) as statement
    from meanings
    left join pg_attribute
        on pg_attribute.attrelid = meanings.id
        and pg_attribute.attname = meanings.name
        and pg_attribute.attnum > 0
        and not pg_attribute.attisdropped
    where meanings.id is null
        or (
            pg_attribute.attnum is not null
            and case when meanings.counts
                then col_description(meanings.id, pg_attribute.attnum)
                    is distinct from meanings.meaning
                else col_description(meanings.id, pg_attribute.attnum) is null
            end
        )
)

select statement
from statements
order by step, name, statement
