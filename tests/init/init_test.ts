import assert from "node:assert/strict";
import { join } from "node:path";
import { main, makeFolder } from "../../init/main.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import { execute, openPlatform } from "../harness/platform.ts";

/** A company that nothing here was made for. */
const COMPANY = `
create schema shop;
create type shop.mood as enum ('sad', 'ok');
create domain shop.code as varchar(8) check (value <> '');
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
  primary key ("select", order_id)
);
create table shop.log (line text);
create view shop.seen as select 1 as one;`;

const ROWS = [
  `insert into shop."Customers" values ('ALFKI', 'Größe, "Ltd"', 'sad',
    '{a,"b c"}', '\\x00ff', '2020-01-01', 12.5), ('B', 'B', null, '{}', null, null, null)`,
  `insert into shop.products (code, price, ratio, attributes)
    values ('p1', 1.50, 0.1, '{"a": [1, null]}'), ('p2', 2, 'NaN', null)`,
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

    const told = await makeFolder(context, {
      into,
      schemas: undefined,
      tables: undefined,
    });
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
    const [meaning] = await query(
      warehouse.client,
      `select obj_description('dim_customers'::regclass, 'pg_class') as of_table,
        col_description('dim_customers'::regclass, attnum) as of_column
      from pg_attribute where attrelid = 'dim_customers'::regclass
        and attname = 'Company Name'`,
    );
    assert.match(meaning?.of_table ?? "", /^Who buys\./);
    assert.equal(meaning?.of_column, 'As it stands on letters: "Ltd" and all.');
  }));

Deno.test("init says what is wrong, and writes nothing over what is there", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: "create view seen as select 1 as one",
    });
    const make = (into: string, tables?: string[]) =>
      makeFolder(platform.context, { into, schemas: undefined, tables });
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
    const out: string[] = [];
    const io = {
      env: () => undefined,
      write: (text: string) => void out.push(text),
      isTerminal: true,
      onStop: () => () => {},
    };
    assert.equal(await main([], io), 2);
    assert.equal(await main(["--source", "postgres://u@h/d"], io), 2);
    assert.match(out.join(""), /SOURCE_URL[\s\S]*--into is missing/);
    assert.equal(await main(["--help"], io), 0);
  }));
