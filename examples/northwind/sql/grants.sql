-- Lets the pipeline's role read the tables of source.sql and nothing else. An
-- administrator runs this in the source database, and again whenever the
-- contract gains a table.

do $$
begin
    if not exists (
        select from pg_roles where rolname = 'northwind_extract'
    ) then
        -- Give it a password afterwards: \password northwind_extract
        create role northwind_extract login connection limit 10;
    end if;
    execute format(
        'grant connect on database %I to northwind_extract', current_database()
    );
end
$$;

alter role northwind_extract set default_transaction_read_only = on;

grant usage on schema northwind to northwind_extract;
grant select on
    northwind.categories,
    northwind.customers,
    northwind.employee_territories,
    northwind.employees,
    northwind.order_details,
    northwind.orders,
    northwind.products,
    northwind.region,
    northwind.shippers,
    northwind.suppliers,
    northwind.territories
to northwind_extract;
