-- The indexes that tables lack, as statements, unless another serves as well.
-- $1: those wanted, as JSON.

with wanted as (
    select
        given.*,
        to_regclass(
            concat_ws(
                '.', quote_ident(given.schema), quote_ident(given."table")
            )
        ) as id
    from jsonb_to_recordset(cast($1 as jsonb)) as given (
        schema text,
        "table" text,
        columns jsonb,
        kind text,
        rows text
    )
),

-- Their columns' numbers, and names as SQL; null if one is not there.
numbered as (
    select
        wanted.*,
        parts.numbers,
        parts.names
    from wanted
    cross join lateral (
        select
            array_agg(pg_attribute.attnum order by part.place) as numbers,
            string_agg(
                quote_ident(part.name), ', ' order by part.place
            ) as names,
            bool_and(pg_attribute.attnum is not null) as are_there
        from jsonb_array_elements_text(wanted.columns)
            with ordinality as part (name, place)
        left join pg_attribute
            on pg_attribute.attrelid = wanted.id
            and pg_attribute.attname = part.name
            and pg_attribute.attnum > 0
            and not pg_attribute.attisdropped
    ) as parts
    where wanted.id is not null
        and parts.are_there
)

select
    case
        when numbered.kind = 'primary' then format(
            'alter table %s add primary key (%s)', numbered.id, numbered.names
        )
        else concat(
            'create ',
            case when numbered.kind = 'unique' then 'unique ' end,
            format('index on %s (%s)', numbered.id, numbered.names),
            ' where ' || numbered.rows
        )
    end as statement
from numbered
inner join pg_class on pg_class.oid = numbered.id
where pg_class.relkind = 'r'
    and not exists (
        select
        from pg_index
        where pg_index.indrelid = numbered.id
            and pg_index.indisvalid
            and case
                when numbered.kind = 'primary' then pg_index.indisprimary
                else pg_index.indexprs is null
                    and (
                        pg_index.indpred is null
                        or pg_get_expr(pg_index.indpred, pg_index.indrelid)
                        = numbered.rows
                    )
                    and case
                        when numbered.kind = 'unique' then pg_index.indisunique
                            and pg_index.indnkeyatts
                            = cardinality(numbered.numbers)
                            and (cast(pg_index.indkey as smallint []))[
                                0:pg_index.indnkeyatts - 1
                            ] @> numbered.numbers
                        else pg_index.indkey[0] = numbered.numbers[1]
                    end
            end
    )
order by numbered.id, numbered.kind, numbered.names
