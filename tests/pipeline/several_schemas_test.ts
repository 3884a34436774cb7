import assert from "node:assert/strict";
import { join } from "node:path";
import { makeCompanyFolder } from "../../init/main.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import { resync } from "../../operate/resync.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { projectOf } from "../harness/companies/small_project.ts";

/** Orders in two schemas, with other columns, types and partitions. */
const SHOP = `
create schema sales;
create schema archive;
create type archive.mood as enum ('sad', 'ok');
create table sales.customers (id integer primary key, name text not null);
create table sales.orders (
  id integer primary key,
  customer_id integer not null references sales.customers,
  placed date not null,
  amount numeric(10,2) not null
);
create table archive.orders (
  id integer not null,
  placed date not null,
  amount numeric(10,2) not null,
  mood archive.mood,
  primary key (id, placed)
) partition by range (placed);
create table archive.orders_2024 partition of archive.orders
  for values from (minvalue) to ('2025-01-01');
create table archive.orders_2025 partition of archive.orders default;`;

const ROWS = [
  "insert into sales.customers values (1, 'Ada')",
  "insert into sales.orders values (1, 1, '2026-01-01', 10), (2, 1, '2026-01-02', 20)",
  `insert into archive.orders values (1, '2024-05-01', 1, 'ok'),
    (2, '2025-05-01', 2, 'sad')`,
];

/** Moves an order into the archive, and changes what prints a mood. */
const CHANGES = [
  "delete from sales.orders where id = 1",
  "insert into archive.orders values (7, '2025-06-01', 10, null)",
  "delete from archive.orders where id = 2",
  "update sales.orders set amount = 21",
  "alter type archive.mood rename value 'ok' to 'fine'",
];

Deno.test("tables of the same name in two schemas stay separate", () =>
  inFolder(async (folder) => {
    const into = join(folder, "company");
    await using platform = await openPlatform({ sourceSql: SHOP });
    const { source: { client }, warehouse, context } = platform;
    await execute(client, ...ROWS);

    const made = await makeCompanyFolder(context, {
      into,
      schemas: ["sales", "archive"],
    });
    context.sql = readProjectSql(into);
    await platform.run();
    await execute(client, ...CHANGES);
    await platform.run();

    assert.doesNotMatch(made, /left out/);
    assert.deepEqual(
      context.sql.models.map(({ name, reads }) => `${name}: ${reads}`).sort(),
      [
        "dim_archive_orders: archive__orders",
        "dim_customers: customers",
        "dim_date: sales__orders",
        "fact_sales_orders: sales__orders",
      ],
    );
    assert.equal((await verify(context)).same, true);
    assert.deepEqual(
      await query(
        warehouse.client,
        `select 'sales' as schema, id, amount::text, null as mood
        from fact_sales_orders_current
        union all
        select 'archive', id, amount::text, mood
        from dim_archive_orders_current order by 1, 2`,
      ),
      [
        { schema: "archive", id: 1, amount: "1.00", mood: "fine" },
        { schema: "archive", id: 7, amount: "10.00", mood: null },
        { schema: "sales", id: 2, amount: "21.00", mood: null },
      ],
    );
  }));

/** The same company's SQL by hand, with its own schema left to the settings. */
const FILES = {
  "source.sql": `create table orders (
    id integer primary key, customer_id integer not null, placed date not null,
    amount numeric(10,2) not null
);
`,
  "models/fact_order.sql":
    "-- Key: id.\nselect id, amount from changed.orders\n",
};
const ARCHIVE = {
  "source.sql": `${FILES["source.sql"]}create table archive.orders (
    id integer not null, placed date not null, amount numeric(10,2) not null,
    primary key (id, placed)
);
`,
  "models/fact_archived.sql":
    "-- Key: id, placed.\nselect id, placed, amount from changed.archive__orders\n",
  "quarantine/archive__orders.sql":
    "select id, placed, 'no amount' as reason from arrived.archive__orders where amount = '0.00'\n",
};

Deno.test("a table keeps its name when another schema gets one of the same name", async () => {
  await using platform = await openPlatform({
    sourceSql: SHOP,
    sql: await projectOf(FILES),
  });
  const { source: { client }, warehouse, context } = platform;
  platform.set({ sourceSchema: "sales" });
  await execute(client, ...ROWS);
  await platform.run();

  context.sql = await projectOf({ ...FILES, ...ARCHIVE });
  await execute(client, ...CHANGES);
  await execute(
    client,
    "insert into archive.orders values (9, '2025-01-01', 0)",
  );
  await platform.run();
  await resync(context, { tables: ["archive__orders"] });

  assert.equal((await verify(context)).same, true);
  assert.deepEqual(
    await query(
      warehouse.client,
      `select 'fact_order' as model, id::text from fact_order_current
      union all select 'fact_archived', id::text from fact_archived_current
      union all select table_name, row_key from quarantine_current
      order by 1, 2`,
    ),
    [
      { model: "archive__orders", id: "[9, 2025-01-01]" },
      { model: "fact_archived", id: "1" },
      { model: "fact_archived", id: "7" },
      { model: "fact_order", id: "2" },
    ],
  );
  assert.deepEqual(
    platform.logged.filter((line) =>
      line.includes('"orders" is read whole: its contract')
    ),
    [],
  );
});

Deno.test("a table continues under its longer name with --accept", async () => {
  const withSchema = (files: Record<string, string>) => ({
    ...files,
    "source.sql": (files["source.sql"] ?? "")
      .replace("table orders", "table sales.orders"),
  });
  await using platform = await openPlatform({
    sourceSql: SHOP,
    sql: await projectOf(withSchema(FILES)),
  });
  const { source: { client }, warehouse, context } = platform;
  await execute(client, ...ROWS);
  await platform.run();

  context.sql = await projectOf(withSchema({
    ...FILES,
    ...ARCHIVE,
    "models/fact_order.sql": FILES["models/fact_order.sql"]
      .replace("changed.orders", "changed.sales__orders"),
  }));
  await execute(client, ...CHANGES);
  await platform.extract();
  await assert.rejects(platform.transform(), {
    message:
      /the contract no longer has orders; fact_order: its header changes, or its query /,
  });
  await transform(context, { accept: true });
  await platform.load();

  // What was deleted meanwhile has ended as well.
  assert.deepEqual(
    await query(warehouse.client, "select id from fact_order_current"),
    [{ id: 2 }],
  );
  assert.equal((await verify(context)).same, true);
});

Deno.test("extract names an unreadable table with its schema", async () => {
  await using platform = await openPlatform({
    sourceSql: SHOP,
    sql: await projectOf({ ...FILES, ...ARCHIVE }),
  });
  const { client } = platform.source;
  platform.set({ sourceSchema: "sales" });

  await execute(client, "alter table archive.orders drop column amount");
  await assert.rejects(platform.extract(), {
    name: "StageError",
    subject: "archive__orders",
    message:
      /^Cannot read "archive__orders": column "amount" is missing \(.*mood\)$/,
  });
  await execute(client, "drop table archive.orders");
  await assert.rejects(platform.extract(), {
    subject: "archive__orders",
    message:
      'Cannot read "archive__orders": there is no such table in the schema "archive"',
  });
});
