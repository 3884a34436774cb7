-- A role for the pipeline in the source database: it reads the tables of
-- source.sql and nothing else. An administrator runs this in the source
-- database, and again whenever the contract gains a table:
--
--     psql "$ADMIN_URL" --set ON_ERROR_STOP=1 --file sql/grants.sql
--
-- and then gives it a password with \password totesys_extract.

do $$
begin
    if to_regrole('totesys_extract') is null then
        create role totesys_extract login
            nosuperuser nocreatedb nocreaterole noreplication
            connection limit 10;
    end if;
end
$$;

-- Belt and braces: it could not write without this either.
alter role totesys_extract set default_transaction_read_only = on;

do $$
begin
    execute format(
        'grant connect on database %I to totesys_extract', current_database()
    );
end
$$;

grant usage on schema public to totesys_extract;
grant select on
    public.address,
    public.counterparty,
    public.currency,
    public.department,
    public.design,
    public.payment,
    public.payment_type,
    public.purchase_order,
    public.sales_order,
    public.staff,
    public.transaction
to totesys_extract;

-- Like every role, this one may create large objects (from PostgreSQL 16 on,
-- not in read-only transactions) and, if it makes its transactions read-write,
-- which the pipeline never does, temporary tables and, before PostgreSQL 15,
-- tables in public. Revoking these rights affects all roles, so that is left to
-- administrators who know what else uses the database:
--
--     revoke temporary on database totesys from public;
--     revoke execute on function lo_creat(integer), lo_create(oid),
--         lo_from_bytea(oid, bytea) from public;
--     revoke create on schema public from public;

-- If a table has row-level security, the pipeline refuses to read only part of
-- it silently. It then needs to see all rows:
--
--     alter role totesys_extract bypassrls;
