-- What others did to the tables of models ($1) and their partitions: triggers
-- that see a row before it is written and rules that write something else, as
-- JSON (see pg_trigger.tgtype); a table that inherits from them, whose rows are
-- read and written with theirs; one that a crash of the server empties.
with own as (
    select
        given.model,
        to_regclass(quote_ident(given.model || suffixes.suffix)) as id
    from unnest($1::text[]) as given (model)
    cross join (values (''), ('_closed')) as suffixes (suffix)
),

watched as (
    select
        model,
        id
    from own
    union
    select
        own.model,
        tree.relid as id
    from own
    cross join lateral pg_partition_tree(own.id) as tree
),

found as (
    select
        watched.model,
        'intercepts' as kind,
        own_trigger.tgname::text as name
    from pg_trigger as own_trigger
    inner join watched
        on own_trigger.tgrelid = watched.id
    where
        not own_trigger.tgisinternal
        and own_trigger.tgtype & 3 = 3
        and own_trigger.tgenabled in ('O', 'A')
    union
    select
        watched.model,
        'intercepts' as kind,
        own_rule.rulename::text as name
    from pg_rewrite as own_rule
    inner join watched
        on own_rule.ev_class = watched.id
    where
        own_rule.ev_type <> '1'
        and own_rule.ev_enabled in ('O', 'A')
    union
    select
        own.model,
        'inherits' as kind,
        inheritance.inhrelid::regclass::text as name
    from own
    inner join pg_class as class
        on
            own.id = class.oid
            and class.relkind = 'r'
    inner join pg_inherits as inheritance
        on own.id = inheritance.inhparent
    union
    select
        watched.model,
        'unlogged' as kind,
        watched.id::regclass::text as name
    from watched
    inner join pg_class as class
        on
            watched.id = class.oid
            and class.relpersistence = 'u'
)

select
    model,
    json_agg(name order by name) filter (where kind = 'intercepts') as names,
    min(name) filter (where kind = 'inherits') as heir,
    min(name) filter (where kind = 'unlogged') as unlogged
from found
group by model
