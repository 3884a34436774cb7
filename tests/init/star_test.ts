import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { readCatalogue } from "../../init/catalogue.ts";
import { modelTexts } from "../../init/model_texts.ts";
import { planStar } from "../../init/star.ts";
import { quoteIfNeeded } from "../../init/write_contract.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { lintSql } from "../../tools/sql_style.ts";
import { execute } from "../harness/platform.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";

/** A video library: each table says when its rows were last changed. */
const LIBRARY = `
create table country (country_id serial primary key, country text not null,
    last_update timestamptz not null);
create table city (city_id serial primary key, city text not null,
    country_id integer not null references country,
    last_update timestamptz not null);
create table address (address_id serial primary key, address text not null,
    city_id integer not null references city, phone text,
    last_update timestamptz not null);
create table language (language_id serial primary key, name text not null,
    last_update timestamptz not null);
create table actor (actor_id serial primary key, last_name text not null,
    last_update timestamptz not null);
create table film (film_id serial primary key, title text not null,
    release_year integer, language_id integer not null references language,
    original_language_id integer references language,
    rental_duration smallint not null, rental_rate numeric(4, 2) not null,
    length smallint, replacement_cost numeric(5, 2) not null,
    last_update timestamptz not null);
create table film_actor (actor_id integer not null references actor,
    film_id integer not null references film,
    last_update timestamptz not null, primary key (actor_id, film_id));
create table store (store_id serial primary key, manager_id integer not null,
    address_id integer not null references address,
    last_update timestamptz not null);
create table staff (staff_id serial primary key, last_name text not null,
    address_id integer not null references address,
    store_id integer not null references store,
    last_update timestamptz not null);
alter table store add foreign key (manager_id) references staff;
create table customer (customer_id serial primary key,
    store_id integer not null references store, last_name text not null,
    address_id integer not null references address,
    active integer, create_date date not null,
    last_update timestamptz not null);
create table inventory (inventory_id serial primary key,
    film_id integer not null references film,
    store_id integer not null references store,
    last_update timestamptz not null);
create table rental (rental_id serial primary key,
    rental_date timestamptz not null,
    inventory_id integer not null references inventory,
    customer_id integer not null references customer,
    return_date timestamptz, staff_id integer not null references staff,
    last_update timestamptz not null);
create table payment (payment_id serial primary key,
    customer_id integer not null references customer,
    staff_id integer not null references staff,
    rental_id integer not null references rental,
    amount numeric(5, 2) not null, payment_date timestamptz not null);`;

/** A shop: an invoice with its lines, of things that have prices and dates. */
const SHOP = `
create table region (region_id serial primary key, name text not null);
create table rep (rep_id serial primary key, name text not null,
    hired date not null, salary numeric(10, 2) not null);
create table client (client_id serial primary key, name text not null,
    region_id integer not null references region,
    rep_id integer not null references rep,
    credit_limit numeric(10, 2), since date not null);
create table article (article_id serial primary key, name text not null,
    price numeric(10, 2) not null);
create table invoice (invoice_id serial primary key,
    client_id integer not null references client,
    rep_id integer not null references rep,
    invoiced date not null, total numeric(10, 2) not null);
create table invoice_line (invoice_id integer not null references invoice,
    article_id integer not null references article,
    quantity integer not null, primary key (invoice_id, article_id));`;

async function starOf(schema: string) {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;
  await execute(client, schema);
  return planStar(
    await readCatalogue(client, { schemas: ["public"], tables: undefined }),
  );
}

for (
  const [what, schema, facts] of [
    ["a video library", LIBRARY, ["film_actor", "payment", "rental"]],
    ["a shop", SHOP, ["invoice", "invoice_line"]],
  ] as const
) {
  Deno.test(`planStar() tells facts from dimensions in ${what}`, async () => {
    const { models } = await starOf(schema);

    assert.deepEqual(
      models.filter(({ kind }) => kind === "fact")
        .map(({ table }) => table.name),
      facts,
    );
  });
}

Deno.test("the calendar of a starter folder uses only SQL that all engines share", async () => {
  const texts = modelTexts(await starOf(SHOP));

  // What it reads is derived; the house writes it down as well.
  assert.deepEqual(
    lintSql("sql/models/dim_date.sql", texts.get("dim_date") ?? "")
      .filter(({ message }) => !message.includes("Reads")),
    [],
  );
});

Deno.test("planStar() avoids names that models share, and names of the pipeline's columns", async () => {
  const { models, calendar, skipped } = await starOf(`
    create table client (id integer primary key, name text);
    create table client_history (id integer primary key, "row key" text);
    create table client_closed (id integer primary key, note text);
    create table date_current (id integer primary key, "why unreadable" text);`);

  assert.deepEqual(models.map(({ name }) => name), [
    "dim_client",
    "dim_client_closed_2",
    "dim_client_history_2",
    "dim_date_current",
  ]);
  assert.equal(calendar, "dim_calendar");
  assert.deepEqual(
    skipped.map(({ what }) => what),
    ["public.client_history.row key", "public.date_current.why unreadable"],
  );
});

Deno.test("planStar() shortens names that a suffix makes too long", async () => {
  const long = "a".repeat(62);
  const moment = `${"ö".repeat(31)}x`;
  const { models } = await starOf(`
    create table ${long}1 (id integer primary key, name text);
    create table ${long}2 (
        id integer primary key,
        one_id integer not null references ${long}1,
        amount numeric(10, 2) not null,
        "${moment}" timestamp not null,
        "${"ö".repeat(29)}_date" date
    );
    create table ${long}3 (
        id integer primary key,
        one_id integer not null references ${long}1,
        amount numeric(10, 2) not null,
        paid_at timestamp not null
    );`);
  const bytes = (name: string) => new TextEncoder().encode(name).length;

  assert.deepEqual(models.map(({ name }) => name), [
    `dim_${"a".repeat(46)}`,
    `fact_${"a".repeat(45)}`,
    `fact_${"a".repeat(43)}_2`,
  ]);
  const days = models.flatMap(({ columns }) =>
    columns.flatMap(({ day }) => day ?? [])
  );
  assert.deepEqual(days, [`${"ö".repeat(28)}_date_`, "paid_at_date"]);
  assert.ok(days.every((day) => bytes(day) <= 63));
});

Deno.test("quoteIfNeeded() quotes each reserved word of PostgreSQL and DuckDB", async () => {
  await using database = await openTestDatabase();
  const instance = await DuckDBInstance.create(":memory:");
  const duckdb = await instance.connect();
  const reader = await duckdb.runAndReadAll(
    "select keyword_name from duckdb_keywords()",
  );
  const words = new Set(
    [
      ...reader.getRows().flat(),
      ...(await query(database.client, "select word from pg_get_keywords()"))
        .map(({ word }) => word),
    ].map(String),
  );
  assert(words.size > 400);
  for (const word of words) {
    const own = quoteIfNeeded(word);
    for (
      const sql of [
        `create temporary table ${own} (id integer, ${own} integer)`,
        `select id, ${own}, ${own} + 1 as ${own} from ${own}`,
        `drop table ${own}`,
      ]
    ) {
      await execute(database.client, sql);
      await duckdb.run(sql);
    }
  }
  duckdb.closeSync();
  instance.closeSync();
});

Deno.test("planStar() takes a key that fits an index of the warehouse, or leaves the table out", async () => {
  const names = Array.from({ length: 32 }, (_, index) => `c${index}`);
  const columns = names.map((one) => `${one} integer not null`).join(", ");
  const key = names.join(", ");

  const { models, skipped } = await starOf(
    `create table keyed (${columns}, id integer not null unique,
      primary key (${key}));
    create table wide (${columns}, primary key (${key}))`,
  );

  assert.deepEqual(models.map(({ table, key }) => [table.name, key]), [
    ["keyed", ["id"]],
  ]);
  assert.match(skipped[0]?.what ?? "", /wide/);
  assert.match(skipped[0]?.why ?? "", /31 at most, to identify its rows/);
});

Deno.test("planStar() makes no reference of columns that write equal values differently", async () => {
  await using source = await openTestDatabase();
  const client = source.client;
  await execute(
    client,
    `create domain amount as numeric(10, 2);
    create domain rate as numeric(10, 3);
    create domain short as varchar(9);
    create table step (amount amount primary key);
    create table long (number numeric(50, 1) primary key);
    create table code (code char(5) primary key);
    create table label (label short primary key);
    create table use (
      id integer primary key,
      step rate references step,
      same amount references step,
      long numeric(50, 2) references long,
      code char(3) references code,
      plain varchar(5) references code,
      label text references label
    )`,
  );

  const tables = await readCatalogue(client, {
    schemas: ["public"],
    tables: undefined,
  });
  const { models } = planStar(tables);

  const use = models.find(({ name }) => name === "fact_use");
  assert.deepEqual([...use?.references ?? []], [
    ["label", "dim_label"],
    ["same", "dim_step"],
  ]);
  assert.deepEqual(use?.notes, [
    "code refers to public.code, whose key is character(5) and written in another way than character(3): join it in a query",
    "long refers to public.long, whose key is numeric(50,1) and written in another way than numeric(50,2): join it in a query",
    "plain refers to public.code, whose key is character(5) and written in another way than character varying(5): join it in a query",
    "step refers to public.step, whose key is numeric(10,2) and written in another way than numeric(10,3): join it in a query",
  ]);
  // As with init --tables.
  const alone = planStar(tables.filter(({ name }) => name === "use"));
  assert.equal(
    alone.models[0]?.notes[0],
    "code refers to public.code, which has no model here",
  );
});

Deno.test("planStar() says by which tables of one name a table is referred to", async () => {
  await using source = await openTestDatabase();
  await execute(
    source.client,
    `create schema old;
    create table thing (id integer primary key);
    create table part (id integer primary key, thing integer references thing);
    create table old.part (id integer primary key, thing integer references thing)`,
  );

  const { models } = planStar(
    await readCatalogue(source.client, {
      schemas: ["public", "old"],
      tables: undefined,
    }),
  );

  assert.match(
    models.find(({ name }) => name === "dim_thing")?.why ?? "",
    /referred to by old\.part, public\.part$/,
  );
});
