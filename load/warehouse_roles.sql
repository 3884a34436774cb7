-- Roles in the warehouse: the loader, which makes and fills the tables, and
-- analyst, which reads them. Neither has the other's rights. An administrator
-- runs this in the warehouse database, before the first load; to run it again
-- changes nothing:
--
--     psql "$ADMIN_URL" --set ON_ERROR_STOP=1 \
--         --file load/warehouse_roles.sql
--
-- and then gives each login a password: \password totesys_loader and
-- \password totesys_analyst. If the first load has already run, let analyst
-- read its tables: call pipeline.grant_read('analyst', 'public', 'pipeline').

do $$
begin
    if to_regrole('totesys_loader') is null then
        create role totesys_loader login
            nosuperuser nocreatedb nocreaterole noreplication
            connection limit 10;
    end if;
    -- It holds the analysts' rights; people and tools are its members.
    if to_regrole('analyst') is null then
        create role analyst nologin;
    end if;
    if to_regrole('totesys_analyst') is null then
        create role totesys_analyst login
            nosuperuser nocreatedb nocreaterole noreplication
            connection limit 20
            in role analyst;
    end if;
end
$$;

alter role totesys_analyst set default_transaction_read_only = on;
alter role totesys_analyst set statement_timeout = '5min';

-- The loader creates the schema pipeline and, in public, the stars; it lands
-- rows in temporary tables. Analysts connect and read.
do $$
begin
    execute format(
        'revoke all on database %I from public', current_database()
    );
    execute format(
        'grant connect, create, temporary on database %I to totesys_loader',
        current_database()
    );
    execute format(
        'grant connect on database %I to analyst', current_database()
    );
end
$$;

revoke create on schema public from public;
-- Large objects are not tables, and no other right keeps analysts from them.
revoke execute on function
    lo_creat(integer),
    lo_create(oid),
    lo_from_bytea(oid, bytea)
from public;
grant usage, create on schema public to totesys_loader;
grant usage on schema public to analyst;
