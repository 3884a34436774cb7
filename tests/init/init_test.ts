import assert from "node:assert/strict";
import { join } from "node:path";
import { main, makeCompanyFolder } from "../../init/main.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import { openPooler, type PoolMode, testPooler } from "../harness/pgbouncer.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { settingsOf } from "../harness/postgres.ts";

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
create view shop.seen as select 1 as one;`;

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

    const told = await makeCompanyFolder(context, {
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

Deno.test("init writes rules that quarantine NaN in domains over numbers", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create domain amount as numeric(10,2);
        create table "Item" (id integer primary key, "it's" amount, other amount,
          plain numeric(10,2));
        insert into "Item" values (1, 5.5, null, 1), (2, 'NaN', 1, 1),
          (3, 1, 1, 'NaN');
        create table "a/b\\c d" (id integer primary key, amount amount);
        insert into "a/b\\c d" values (4, 'NaN');
        create table refunds ("Reason" text primary key, amount amount,
          until date default 'infinity');
        insert into refunds values ('late', 'NaN', '0044-03-15 BC')`,
      warehouse: "empty",
    });
    const { context, warehouse: { client }, source } = platform;
    const into = join(folder, "sql");
    await makeCompanyFolder(context, {
      into,
      schemas: undefined,
      tables: undefined,
    });
    context.sql = readProjectSql(into);

    await platform.run();
    await execute(source.client, `update "Item" set other = 7 where id = 1`);
    await platform.run();

    const rows = await query(
      client,
      `select id::text, "it's", other, plain from dim_item_current order by id`,
    );
    assert.deepEqual(rows.map((row) => Object.values(row)), [
      ["1", "5.50", "7.00", "1.00"],
    ]);
    const reasons = await query(
      client,
      "select row_key, reason from quarantine_current order by row_key",
    );
    assert.deepEqual(reasons.map((row) => Object.values(row)), [
      ["2", "it's is no decimal(10, 2): NaN"],
      ["3", 'plain is no numeric(10,2): "NaN"'],
      ["4", "amount is no decimal(10, 2): NaN"],
    ]);
    assert.deepEqual(
      await query(client, "select amount, until from dim_refunds_current"),
      [{ amount: "NaN", until: "0044-03-15 BC" }],
    );
    assert.deepEqual(
      [...Deno.readDirSync(join(into, "quarantine"))].map(({ name }) => name)
        .toSorted(),
      ["Item.sql", "a%2Fb%5Cc d.sql"],
    );
    assert.equal((await verify(context)).same, true);
  }));

Deno.test("init's rules for NaN work for tables of the same name in two schemas", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create domain amount as numeric(10,2);
        create schema a create table item (id integer primary key, x amount);
        create schema b create table item (id integer primary key, y amount);
        insert into a.item values (1, 'NaN'), (2, 1);
        insert into b.item values (1, 2), (2, 'NaN'), (3, 'NaN')`,
      warehouse: "empty",
    });
    const { context, warehouse: { client } } = platform;
    const into = join(folder, "sql");
    await makeCompanyFolder(context, {
      into,
      schemas: ["a", "b"],
      tables: undefined,
    });
    context.sql = readProjectSql(into);

    await platform.run();

    const found = await query(
      client,
      `select table_name, row_key from quarantine_current
      order by table_name, row_key`,
    );
    assert.deepEqual(found.map((row) => Object.values(row)), [
      ["a__item", "1"],
      ["b__item", "2"],
      ["b__item", "3"],
    ]);
    const one = join(folder, "one");
    await makeCompanyFolder(context, {
      into: one,
      schemas: undefined,
      tables: ["b.item"],
    });
    assert.deepEqual(
      readProjectSql(one).tables.map(({ schema, name }) => `${schema} ${name}`),
      ["b item"],
    );
  }));

Deno.test("init carries dates as text that the catalogue knows to be infinite", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create domain since as date;
        create table person (id integer primary key, name text not null,
          hired since, left_on date not null default 'infinity');
        comment on column person.left_on is 'The last day.';
        create table fare (id integer, until timestamptz not null,
          person_id integer not null references person, seen timestamp,
          day date default '-infinity', cents integer, primary key (id, until)
        ) partition by range (id);
        create table fare_low partition of fare for values from (0) to (100);
        create table fare_rest partition of fare default;
        insert into person values (1, 'A', '2020-02-03', default),
          (2, 'B', 'infinity', '2024-05-06'), (3, 'C', null, '0044-03-15 BC');
        insert into fare values (1, 'infinity', 1, 'infinity', default, 5),
          (2, '2024-01-01', 2, '2024-01-02 03:04:05.678901', '2024-05-06', 5);
        analyze fare_low`,
      warehouse: "empty",
    });
    const { context, warehouse: { client }, source } = platform;
    const into = join(folder, "sql");
    const told = await makeCompanyFolder(context, {
      into,
      schemas: undefined,
      tables: undefined,
    });
    context.sql = readProjectSql(into);

    await platform.run();
    await execute(
      source.client,
      "update person set left_on = '2025-01-01' where id = 1",
      "update person set left_on = 'infinity' where id = 2",
      "update fare set seen = '-infinity' where id = 2",
    );
    await platform.run();

    assert.deepEqual(told.match(/.* may be infinite, .*/g), [
      "public.fare.until: may be infinite, so it is carried as text",
      "public.fare.seen: may be infinite, so it is carried as text, and null there in fact_fare",
      "public.fare.day: may be infinite, so it is carried as text, and null there in fact_fare",
      "public.person.hired: may be infinite, so it is carried as text, and null there in dim_person",
      "public.person.left_on: may be infinite, so it is carried as text, and null there in dim_person",
    ]);
    const rows = async (select: string) =>
      (await query(client, select)).map((row) => Object.values(row).join());
    assert.deepEqual(
      await rows(
        `select id, hired::text, left_on::text from dim_person_history
        where to_batch is null or from_batch = 1 order by id, from_batch`,
      ),
      ["1,2020-02-03,", "1,2020-02-03,2025-01-01", "2,,2024-05-06", "2,,"],
    );
    assert.deepEqual(
      await rows(
        `select id, until, seen::text, seen_date::text, fact.day::text, year
        from fact_fare_history as fact
        left join dim_date on date_id = fact.day
        where fact.from_batch = 1 order by id`,
      ),
      [
        "1,infinity,,,,",
        "2,2024-01-01 00:00:00+00,2024-01-02 03:04:05.678901,2024-01-02,2024-05-06,2024",
      ],
    );
    assert.deepEqual(
      await rows("select row_key, reason from quarantine_current"),
      ["3,left_on is no date: 0044-03-15 BC"],
    );
    assert.equal((await verify(context)).same, true);
    const [{ meaning } = { meaning: "" }] = await query(
      client,
      `select col_description(attrelid, attnum) as meaning from pg_attribute
      where attrelid = 'dim_person'::regclass and attname = 'left_on'`,
    );
    assert.equal(meaning, "The last day.; null where it is infinite.");
  }));

Deno.test("init finds infinite dates in rows of which the server has no sample", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create table once (id integer primary key, until date);
        insert into once values (1, 'infinity');
        create table never (id integer primary key, "from" timestamptz,
          until timestamp, day date);
        insert into never values (1, '-infinity', 'infinity', '2024-05-06'),
          (2, null, '2024-05-06', null);
        create table parts (id integer primary key, until date)
          partition by range (id);
        create table parts_all partition of parts default;
        insert into parts values (1, 'infinity');
        create table nothing (id integer primary key, until date);
        analyze once`,
      warehouse: "empty",
    });
    const { context, warehouse } = platform;
    const into = join(folder, "sql");
    const told = await makeCompanyFolder(context, {
      into,
      schemas: undefined,
      tables: undefined,
    });
    context.sql = readProjectSql(into);

    await platform.run();

    assert.deepEqual(told.match(/\S+(?=: may be infinite)/g), [
      "public.never.from",
      "public.never.until",
      "public.once.until",
      "public.parts.until",
    ]);
    const quarantine = await query(
      warehouse.client,
      "select row_key from quarantine_current",
    );
    assert.deepEqual(quarantine, []);
  }));

Deno.test("init takes no column for not null whose older rows may break that", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create table item (id integer primary key, name text);
        insert into item values (1, null)`,
      warehouse: "empty",
    });
    const { context, source: { client } } = platform;
    const [{ version } = { version: 0 }] = await query(
      client,
      "select current_setting('server_version_num')::integer as version",
    );
    if (Number(version) < 180_000) return;
    await execute(
      client,
      "alter table item add constraint named not null name not valid",
    );
    const into = join(folder, "sql");
    await makeCompanyFolder(context, {
      into,
      schemas: undefined,
      tables: undefined,
    });
    context.sql = readProjectSql(into);

    await platform.run();

    assert.equal((await verify(context)).same, true);
  }));

/** A company whose catalogue has what most have not. */
const ODD_COMPANY = `
create schema "Lager Süd";
create domain positive as integer check (value > 0);
create collation any_case (
  provider = icu, locale = 'und-u-ks-level2', deterministic = false
);
create table brands (name text collate any_case primary key);
create table "Lager Süd".date (date date primary key, is_holiday boolean not null);
create table "Lager Süd"."Artikel" (
  sku uuid primary key,
  "select" text,
  "Select" text,
  "two
lines" text,
  " lead" text
);
comment on table "Lager Süd"."Artikel" is
  E'Kind: fact, said somebody.\\n\\nKey: "select".';
create table readings (id real primary key, value double precision not null);
create table codes (id numeric(8) primary key, code text not null unique);
create table weights (kilos numeric primary key);
create table grades (id positive primary key);
comment on table grades is 'Not-null: all of them.';
create table moves (
  id bigint not null,
  moved timestamptz not null,
  sku uuid not null references "Lager Süd"."Artikel",
  day date not null references "Lager Süd".date,
  due date,
  reading real references readings,
  code integer references codes,
  code_text text references codes (code),
  grade integer references grades,
  weight numeric references weights,
  brand text collate any_case references brands,
  primary key (moved, id)
) partition by range (moved);
create table moves_before partition of moves
  for values from (minvalue) to ('2026-01-01');
create table moves_after partition of moves
  for values from ('2026-01-01') to (maxvalue) partition by hash (id);
create table moves_after_0 partition of moves_after
  for values with (modulus 2, remainder 0);
create table moves_after_1 partition of moves_after
  for values with (modulus 2, remainder 1);
create table parent (id integer primary key);
create table child (more text) inherits (parent);
create table named (id regclass primary key);
create table "line
break" (id integer primary key);`;

const ODD_ROWS = [
  `insert into "Lager Süd".date values ('2026-05-01', true)`,
  `insert into "Lager Süd"."Artikel" values
    ('00000000-0000-0000-0000-000000000001', 'a', 'A', 'b')`,
  "insert into readings values (0.5, 'NaN'), (0.25, 1e300)",
  "insert into codes values (7, 'seven')",
  "insert into grades values (1)",
  "insert into weights values (2.50)",
  "insert into brands values ('Acme')",
  `insert into moves values
    (1, '2025-05-05', '00000000-0000-0000-0000-000000000001', '2026-05-01',
      '2026-05-03', 0.5, 7, 'seven', 1, 2.50, 'ACME'),
    (2, '2026-05-05', '00000000-0000-0000-0000-000000000001', '2026-05-01',
      null, null, null, null, null, null, null)`,
];

Deno.test("init leaves out unreadable tables and columns, and the rest runs with no edit", () =>
  inFolder(async (folder) => {
    const into = join(folder, "company");
    await using platform = await openPlatform({ sourceSql: ODD_COMPANY });
    const { source: { client }, warehouse, context } = platform;
    await execute(client, ...ODD_ROWS);

    const told = await makeCompanyFolder(context, {
      into,
      schemas: undefined,
      tables: undefined,
    });
    context.sql = readProjectSql(into);
    await platform.run();
    await execute(
      client,
      `update "Lager Süd"."Artikel" set "select" = 'c'`,
      "delete from moves where id = 2",
      "update readings set value = 2 where id = 0.25",
    );
    await platform.run();

    assert.equal((await verify(context)).same, true);
    // Said once, in the contract.
    assert.ok(!platform.logged.some((line) => line.includes('" lead"')));
    for (
      const said of [
        "left out: Lager Süd.Artikel. lead, since its name starts with a space",
        "left out: Lager Süd.Artikel.Select, since its name differs from that of select only by case",
        "left out: Lager Süd.Artikel.two\nlines, since its name starts with a space, or has a character that a name can't have",
        "left out: public.line\nbreak, since its name starts with a space",
        "left out: public.named, since it has no primary key",
        "left out: public.parent, since other tables inherit from it",
        "fact_moves: code refers to public.codes, whose key is numeric(8, 0) in dim_codes: cast it to that type",
        "fact_moves: code_text refers to public.codes by code, which is not the key of dim_codes",
        "fact_moves: brand refers to public.brands by a type or collation that treats different texts as equal",
        "fact_moves: grade refers to public.grades, whose key is text in dim_grades",
        "fact_moves: weight refers to dim_weights by a numeric as it is written: 1.5 is not 1.50",
      ]
    ) assert.ok(told.includes(said), `${said}: ${told}`);
    const found = context.sql.models.map((model) =>
      `${model.name} ${model.kind}: ${[...model.table.references].join(" ")}`
    );
    assert.deepEqual(found.toSorted(), [
      "dim_artikel dimension: ",
      "dim_brands dimension: ",
      "dim_calendar dimension: ",
      "dim_codes dimension: ",
      "dim_date dimension: ",
      "dim_grades dimension: ",
      "dim_readings dimension: ",
      "dim_weights dimension: ",
      "fact_moves fact: day,dim_date reading,dim_readings sku,dim_artikel weight,dim_weights moved_date,dim_calendar due,dim_calendar",
    ]);
    assert.deepEqual(
      await query(
        warehouse.client,
        `select fact.id, is_holiday, value, day_of_week, "select" as name
        from fact_moves_current as fact
        left join dim_date on dim_date.date = fact.day
        left join dim_readings on dim_readings.id = fact.reading
        left join dim_calendar on dim_calendar.date_id = fact.due
        left join dim_artikel using (sku)`,
      ),
      [{ id: "1", is_holiday: true, value: NaN, day_of_week: 7, name: "c" }],
    );
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

    await makeCompanyFolder(context, {
      into,
      schemas: undefined,
      tables: undefined,
    });
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

Deno.test("init reports what the server hides, and the consequences", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({ sourceSql: ONE_TABLE });
    const { client, url } = platform.source;
    await execute(
      client,
      "create role init_reader login password 'of a test'",
      "revoke execute on function pg_control_system() from public",
    );
    try {
      const asReader = new URL(url);
      asReader.username = "init_reader";
      asReader.password = "of a test";
      platform.set({ source: settingsOf(asReader.href) });

      const told = await makeCompanyFolder(platform.context, {
        into: join(folder, "company"),
        schemas: undefined,
        tables: undefined,
      });

      assert.match(told, /^PostgreSQL [\d.]+[^,\n]*\n/);
      assert.match(told, /public\.thing: this role may not read it yet/);
      assert.match(
        platform.logged.join("\n"),
        /does not show its system identifier: only transaction ids and rows will show/,
      );
    } finally {
      await execute(client, "drop role init_reader");
    }
  }));

Deno.test("init names types alike whatever the role's settings", () =>
  inFolder(async (folder) => {
    const into = join(folder, "company");
    await using platform = await openPlatform({
      sourceSql: "create table thing (id integer primary key, seen date, " +
        "note text, raw bytea)",
    });
    const { client, settings } = platform.source;
    await execute(
      client,
      `alter database ${settings.database} set quote_all_identifiers to on`,
    );

    await makeCompanyFolder(platform.context, {
      into,
      schemas: undefined,
      tables: undefined,
    });
    platform.context.sql = readProjectSql(into);
    await platform.extract();

    const [table] = platform.context.sql.tables;
    assert.deepEqual(
      table?.columns.map(({ type, carriedFrom }) => carriedFrom ?? type.name),
      ["integer", "date", "text", "bytea"],
    );
  }));

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
          schemas: undefined,
          tables: undefined,
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
      makeCompanyFolder(platform.context, { into, schemas: undefined, tables });
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
