import assert from "node:assert/strict";
import { join } from "node:path";
import { main, makeCompanyFolder } from "../../init/main.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import {
  openPooler,
  type PoolMode,
  testPooler,
} from "../harness/servers/pgbouncer.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { testIo } from "../harness/process_io.ts";

/** A company that nothing here was made for. */
const COMPANY = `
create schema shop;
create type shop.mood as enum ('sad', 'ok');
create domain shop.code as varchar(8) check (value <> '');
create domain shop.pieces as integer check (value >= 0);
create domain shop.amount as numeric(10,2);
create domain shop.cost as shop.amount;
create table shop."Customers" (
  "CustomerID" char(5) primary key,
  "Company Name" varchar(40) not null,
  mood shop.mood,
  tags text[] not null default '{}',
  photo bytea,
  "valid_from" date,
  balance money
);
comment on table shop."Customers" is 'Who buys.';
comment on column shop."Customers"."Company Name" is 'As it stands on letters: "Ltd" and all.';
create table shop.products (
  id bigint generated always as identity primary key,
  code shop.code not null,
  price numeric(10,2) not null,
  ratio double precision,
  stock shop.pieces,
  cost shop.cost,
  attributes jsonb,
  kind regclass
);
create table shop.orders (
  order_id integer not null,
  placed timestamptz not null,
  shipped date,
  "CustomerID" char(5) references shop."Customers",
  freight numeric,
  opens time,
  valid int4range,
  primary key (order_id, placed)
) partition by range (placed);
create table shop.orders_old partition of shop.orders
  for values from (minvalue) to ('2026-01-01');
create table shop.orders_new partition of shop.orders default;
create table shop."Order Details" (
  order_id integer,
  "select" bigint references shop.products (id),
  quantity smallint not null,
  discount real,
  "in  ""place"" of -> x" bigint references shop.products (id),
  primary key ("select", order_id)
);
comment on column shop."Order Details"."in  ""place"" of -> x" is 'Taken instead.';
create table shop.log (line text);
create view shop.seen as select 1 as one;
create view shop."also seen" as select 2 as two;
create materialized view shop.counts as select count(*) from shop.log;
create foreign data wrapper nothing;
create server nowhere foreign data wrapper nothing;
create foreign table shop.elsewhere (line text) server nowhere;`;

const ROWS = [
  `insert into shop."Customers" values ('ALFKI', 'Größe, "Ltd"', 'sad',
    '{a,"b c"}', '\\x00ff', '2020-01-01', 12.5), ('B', 'B', null, '{}', null, null, null)`,
  `insert into shop.products (code, price, ratio, attributes)
    values ('p1', 1.50, 0.1, '{"a": [1, null]}'), ('p2', 2, 'NaN', null)`,
  "update shop.products set stock = 3, cost = 1.25 where code = 'p1'",
  `insert into shop.orders values
    (1, '2025-12-31 23:59:59.5+00', '2026-01-02', 'ALFKI', 3.25, '10:00', '[1,5)'),
    (2, '2026-02-01 00:00:00+00', null, null, null, null, 'empty'),
    (3, '2026-03-01 00:00:00+00', '2026-03-05', 'B', 1, null, null)`,
  `insert into shop."Order Details" values (1, 1, 5, 0.15), (1, 2, 1, null),
    (2, 1, 3, 0)`,
];

Deno.test("init makes a folder that runs through pipeline and verify with no edit", () =>
  inFolder(async (folder) => {
    const into = join(folder, "company");
    await using platform = await openPlatform({ sourceSql: COMPANY });
    const { source: { client }, warehouse, context } = platform;
    await execute(client, ...ROWS);

    const told = await makeCompanyFolder(context, { into });
    context.sql = readProjectSql(into);
    await platform.run();
    await execute(
      client,
      `update shop."Customers" set mood = 'ok' where "CustomerID" = 'ALFKI'`,
      `delete from shop."Order Details" where "select" = 2`,
      "update shop.orders set freight = 4 where order_id = 1",
      "alter type shop.mood rename value 'ok' to 'fine'",
    );
    await platform.run();

    assert.equal((await verify(context)).same, true);
    assert.match(
      told,
      /^shop\.log|left out: shop\.log, since it has no primary key/m,
    );
    assert.match(
      told,
      /left out: shop\.products\.kind, since it reads as names/,
    );
    assert.deepEqual(told.match(/(?<=left out: ).* nothing shows .*/g), [
      "views shop.also seen, shop.seen, since nothing shows what changed in them",
      "materialized views shop.counts, since nothing shows what changed in them",
      "foreign tables shop.elsewhere, since nothing shows what changed in them",
    ]);
    const kinds = context.sql.models.map(({ name, kind }) => `${name} ${kind}`);
    assert.deepEqual(kinds.toSorted(), [
      "dim_customers dimension",
      "dim_date dimension",
      "dim_products dimension",
      "fact_order_details fact",
      "fact_orders fact",
    ]);
    const facts = await query(
      warehouse.client,
      `select fact."order_id" as id, dim_customers."Company Name" as name, mood,
        year, freight
      from fact_orders_current as fact
      left join dim_customers using ("CustomerID")
      left join dim_date on date_id = fact.placed_date order by 1`,
    );
    assert.deepEqual(
      facts.map((row) => Object.values(row).join()),
      ['1,Größe, "Ltd",fine,2025,4', "2,,,2026,", "3,B,,2026,1"],
    );
    // A domain of numbers stays one.
    assert.deepEqual(
      await query(
        warehouse.client,
        `select stock + 1 as more, cost * 2 as twice from dim_products_current
        where code = 'p1'`,
      ),
      [{ more: 4, twice: "2.50" }],
    );
    const [meaning] = await query(
      warehouse.client,
      `select obj_description('dim_customers'::regclass, 'pg_class') as of_table,
        col_description('dim_customers'::regclass, attnum) as of_column
      from pg_attribute where attrelid = 'dim_customers'::regclass
        and attname = 'Company Name'`,
    );
    assert.match(meaning?.of_table ?? "", /^Who buys\./);
    const [detail] = context.sql.models
      .filter(({ name }) => name === "fact_order_details");
    const odd = 'in  "place" of -> x';
    assert.equal(detail?.table.references.get(odd), "dim_products");
    assert.equal(detail?.table.meanings.get(odd), "Taken instead.");
    assert.equal(meaning?.of_column, 'As it stands on letters: "Ltd" and all.');
  }));

Deno.test("init makes a calendar without duplicates from a single date column", () =>
  inFolder(async (folder) => {
    const into = join(folder, "company");
    await using platform = await openPlatform({
      sourceSql: `create table client (client_id integer primary key,
          name text not null);
        create table sale (sale_id integer primary key,
          client_id integer not null references client,
          amount numeric(12, 2) not null, sold_at timestamp not null)`,
    });
    const { source: { client }, context } = platform;
    await execute(
      client,
      "insert into client values (1, 'a')",
      `insert into sale select n, 1, n, timestamp '2024-01-01' + n / 2 * interval '1 day'
      from generate_series(0, 5) as n`,
    );

    await makeCompanyFolder(context, { into });
    context.sql = readProjectSql(into);
    await platform.run();

    assert.deepEqual(
      await query(
        platform.warehouse.client,
        "select date_id::text from dim_date order by 1",
      ),
      [1, 2, 3].map((day) => ({ date_id: `2024-01-0${day}` })),
    );
    assert.equal((await verify(context)).same, true);
  }));

const ONE_TABLE = "create table thing (id integer primary key)";

testPooler(
  "init says that it reached the source by a pooler",
  () =>
    inFolder(async (folder) => {
      await using platform = await openPlatform({ sourceSql: ONE_TABLE });
      const make = async (mode: PoolMode) => {
        await using pooler = await openPooler(platform.source.settings, {
          mode,
        });
        platform.set({ source: pooler.settings });
        return await makeCompanyFolder(platform.context, {
          into: join(folder, mode),
        });
      };

      assert.match(
        await make("transaction"),
        /^PostgreSQL .*, by a pooler: its pool_mode must stay transaction or session\n/,
      );
      await assert.rejects(make("statement"), {
        name: "StageError",
        message: /the pooler there allows no transactions$/,
      });
    }),
);

Deno.test("init reports errors, and overwrites nothing", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: "create view seen as select 1 as one",
    });
    const make = (into: string, tables?: string[]) =>
      makeCompanyFolder(platform.context, { into, tables });
    await assert.rejects(make(join(folder, "new")), {
      message: /^Cannot make a folder of SQL: no table at all in the schemas /,
    });
    await assert.rejects(make(join(folder, "new"), ["seen"]), {
      message: /no table seen in the schemas/,
    });
    await Deno.writeTextFile(join(folder, "notes.txt"), "mine");
    await assert.rejects(make(folder), {
      message: /is not empty, it holds notes.txt: name a new folder/,
    });
    const io = testIo({}, { isTerminal: true });
    assert.equal(await main([], io), 2);
    assert.equal(await main(["--source", "postgres://u@h/d"], io), 2);
    assert.match(io.said, /SOURCE_URL[\s\S]*--into is missing/);
    assert.equal(await main(["--help"], io), 0);
  }));

Deno.test("init --tables writes what a table of another schema's name needs with no edit", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create domain amount as numeric(10,2);
        create schema sales create table item (id integer primary key, x amount);
        create schema archive create table "Item" (id integer primary key, y amount);
        insert into sales.item values (1, 2);
        insert into archive."Item" values (3, 4), (5, 'NaN')`,
      warehouse: "empty",
    });
    const { context, warehouse } = platform;
    const into = join(folder, "sql");
    const add = async (table: string) => {
      const added = join(folder, table);
      await makeCompanyFolder(context, {
        into: added,
        tables: [table],
      });
      await Deno.mkdir(join(into, "models"), { recursive: true });
      await Deno.mkdir(join(into, "quarantine"), { recursive: true });
      await Deno.writeTextFile(
        join(into, "source.sql"),
        await Deno.readTextFile(join(added, "source.sql")),
        { append: true },
      );
      for (const kind of ["models", "quarantine"]) {
        for await (const { name } of Deno.readDir(join(added, kind))) {
          await Deno.copyFile(
            join(added, kind, name),
            join(into, kind, name),
          );
        }
      }
      context.sql = readProjectSql(into);
      await platform.run();
    };
    platform.set({ sqlDirectory: into });

    await add("sales.item");
    await add("archive.Item");

    assert.equal((await verify(context)).same, true);
    assert.deepEqual(
      await query(
        warehouse.client,
        `select dim_item.id, dim_archive_item.id as archived, table_name
        from dim_item cross join dim_archive_item cross join quarantine_current`,
      ),
      [{ id: 1, archived: 3, table_name: "archive__Item" }],
    );
    // Its name is the same where it is written again.
    await makeCompanyFolder(context, {
      into: join(folder, "again"),
      tables: ["archive.Item"],
    });
    assert.deepEqual(
      readProjectSql(join(folder, "again")).tables.map(({ name }) => name),
      ["archive__Item"],
    );
  }));

Deno.test("init --tables minds no contract of another source", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create schema office
        create table item (id integer primary key, day date);`,
    });
    const example = join(folder, "example");
    await Deno.mkdir(join(example, "models"), { recursive: true });
    await Deno.writeTextFile(join(example, "models", "dim_date.sql"), "");
    await Deno.writeTextFile(
      join(example, "source.sql"),
      "create table item (id integer primary key);",
    );
    platform.set({ sqlDirectory: example });
    const into = join(folder, "sql");

    const said = await makeCompanyFolder(platform.context, {
      into,
      tables: ["item"],
    });

    assert.doesNotMatch(said, /by union/);
    assert.deepEqual(
      readProjectSql(into).tables.map(({ name }) => name),
      ["item"],
    );
  }));

Deno.test("init --tables says that the calendar needs the dates of a new fact", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create table shop (id integer primary key, name text);
        create table sale (id integer primary key, day date not null,
          shop integer references shop, amount numeric(9, 2));`,
      warehouse: "empty",
    });
    const { context } = platform;
    const add = (name: string) =>
      makeCompanyFolder(context, {
        into: join(folder, name),
        tables: ["sale"],
      });
    platform.set({ sqlDirectory: join(folder, "first") });

    const first = await add("first");
    const second = await add("second");

    assert.doesNotMatch(first, /by union/);
    assert.match(
      second,
      /^dim_date: where these tables join .*first, add its selects of dates to .*dim_date\.sql, by union$/m,
    );
  }));
