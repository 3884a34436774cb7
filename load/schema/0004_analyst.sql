-- The role analyst reads what the loader makes here and writes nothing. People
-- and tools get logins that are members of it, from an administrator:
-- load/warehouse_roles.sql.

-- Lets a role read what the pipeline's owner owns in the schemas given, now
-- and later. The loader calls it below; it may be called again, by the loader
-- or a superuser, for a role that is made later.
create procedure pipeline.grant_read(reader name, variadic schemas name[])
language plpgsql
as $$
declare
    schema_name name;
    item record;
    owner_name name := (
        select pg_get_userbyid(nspowner)
        from pg_namespace
        where nspname = 'pipeline'
    );
begin
    foreach schema_name in array schemas loop
        -- A schema of someone else's is theirs to open: by default it is.
        if not has_schema_privilege(reader, schema_name, 'usage') then
            execute format(
                'grant usage on schema %I to %I', schema_name, reader
            );
        end if;

        for item in
            select relname as name
            from pg_class
            where relnamespace = to_regnamespace(quote_ident(schema_name))
                and relkind in ('r', 'p', 'v', 'm')
                and pg_get_userbyid(relowner) = owner_name
        loop
            execute format(
                'grant select on %I.%I to %I', schema_name, item.name, reader
            );
        end loop;

        for item in
            select cast(cast(oid as regprocedure) as text) as signature
            from pg_proc
            where pronamespace = to_regnamespace(quote_ident(schema_name))
                and prokind = 'f'
                and pg_get_userbyid(proowner) = owner_name
        loop
            execute format(
                'grant execute on function %s to %I', item.signature, reader
            );
        end loop;

        execute format(
            'alter default privileges for role %I in schema %I'
            ' grant select on tables to %I',
            owner_name, schema_name, reader
        );
        execute format(
            'alter default privileges for role %I in schema %I'
            ' grant execute on functions to %I',
            owner_name, schema_name, reader
        );
    end loop;
end
$$;

comment on procedure pipeline.grant_read(name, name[]) is
    'Lets a role read what the pipeline made, now and later.';

-- Roles belong to the whole server: this one may be there already, and making
-- it may not be the loader's right.
do $$
begin
    if to_regrole('analyst') is null then
        create role analyst nologin;
    end if;
exception
    when duplicate_object or unique_violation then
        null;
    when insufficient_privilege then
        raise notice 'role "analyst" is missing and cannot be made by "%": '
            'run sql/roles/warehouse_roles.sql as an administrator',
            current_user;
end
$$;

do $$
begin
    if to_regrole('analyst') is not null then
        call pipeline.grant_read(
            'analyst', current_schema(), cast('pipeline' as name)
        );
    end if;
end
$$;
