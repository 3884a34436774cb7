import assert from "node:assert/strict";
import { join } from "node:path";
import { makeCompanyFolder } from "../../init/main.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import { execute, openPlatform } from "../harness/platform.ts";

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
    await makeCompanyFolder(context, { into });
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
    const told = await makeCompanyFolder(context, { into });
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

Deno.test("init finds infinite dates in rows that the server has not sampled", () =>
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
        create table partly (id integer primary key, until date)
          partition by range (id);
        create table partly_old partition of partly for values from (0) to (10);
        create table partly_new partition of partly for values from (10) to (20)
          partition by hash (id);
        create table partly_new_0 partition of partly_new
          for values with (modulus 1, remainder 0);
        insert into partly values (1, '2024-05-06'), (11, 'infinity');
        create table stale (id integer primary key, until date);
        insert into stale values (1, '2024-05-06'), (2, '2024-05-07');
        analyze once, partly_old, stale;
        update stale set until = 'infinity' where id = 1`,
      warehouse: "empty",
    });
    const { context, warehouse } = platform;
    const into = join(folder, "sql");
    const told = await makeCompanyFolder(context, { into });
    context.sql = readProjectSql(into);

    await platform.run();

    assert.deepEqual(told.match(/\S+(?=: may be infinite)/g), [
      "public.never.from",
      "public.never.until",
      "public.once.until",
      "public.partly.until",
      "public.parts.until",
      "public.stale.until",
    ]);
    const quarantine = await query(
      warehouse.client,
      "select row_key from quarantine_current",
    );
    assert.deepEqual(quarantine, []);
  }));
