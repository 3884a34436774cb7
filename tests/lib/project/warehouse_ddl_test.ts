import assert from "node:assert/strict";
import { readDeclaredTables } from "../../../lib/project/warehouse_ddl.ts";
import { RETIRED_MIGRATIONS } from "../../harness/companies/retired_migrations.ts";

function columnsOf(...texts: string[]): Record<string, string> {
  const tables = readDeclaredTables(
    texts.map((text, index) => ({ name: String(index), text })),
  );
  return Object.fromEntries(
    [...tables].flatMap(([table, columns]) =>
      [...columns].map(([name, { type, notNull }]) => [
        `${table}.${name}`,
        `${type}${notNull ? " not null" : ""}`,
      ])
    ),
  );
}

Deno.test("readDeclaredTables() reads a migration of three stars", () => {
  const tables = readDeclaredTables(RETIRED_MIGRATIONS);

  const orders = tables.get("fact_sales_order");
  assert.deepEqual(orders?.get("unit_price"), {
    type: "numeric(10,2)",
    notNull: true,
  });
  assert.deepEqual(orders?.get("created_date"), {
    type: "date",
    notNull: true,
  });
  assert.equal(orders?.get("to_batch")?.notNull, false);
  assert.equal(tables.get("dim_staff")?.get("staff_id")?.notNull, true);
  assert.equal(tables.get("dim_staff")?.get("first_name")?.notNull, false);
  assert.deepEqual([...tables.keys()].filter((name) => name.includes(".")), []);
});

Deno.test("readDeclaredTables() reads a plain table's columns and key", () => {
  assert.deepEqual(
    columnsOf(`-- create table no (x integer not null);
    create table if not exists "Thing" (
      a bigint primary key, -- b text,
      "B ""x" text default 'a, b; not null' not null,
      c numeric(10, 2) check (c > 0),
      d timestamp with time zone not null default now(),
      e date references other (id),
      g text check (g is not null or c is not null),
      exclude text,
      h text default E'it\\'s' not null,
      i text default 'it''s',
      constraint f unique (a, c),
      primary key (a, c)
    );
    do $$ begin create table hidden (x integer not null); end $$;
    do $x1$ begin perform 1; drop table "Thing"; end $x1$;
    create table pipeline.other (x integer not null)`),
    {
      "Thing.a": "bigint not null",
      'Thing.B "x': "text not null",
      "Thing.c": "numeric(10,2) not null",
      "Thing.d": "timestamp with time zone not null",
      "Thing.e": "date",
      "Thing.g": "text",
      "Thing.exclude": "text",
      "Thing.h": "text not null",
      "Thing.i": "text",
    },
  );
});

Deno.test("readDeclaredTables() follows what later migrations change", () => {
  assert.deepEqual(
    columnsOf(
      "create table t (a integer not null, b text, c text, d text not null);",
      `alter table t add column e smallint not null default 1,
        add f text, alter column a drop not null, alter b set not null;
      alter table only t alter column a type bigint using a::bigint;
      alter table t drop column c; alter table t rename column d to g;
      alter table t add constraint x check (f is not null), add primary key (f);
      alter table t drop constraint x;
      alter table t alter column e set data type integer;`,
      "create table u (a integer); drop table u;",
      "create table v (a integer); alter table v rename to w;",
    ),
    {
      "t.a": "bigint",
      "t.b": "text not null",
      "t.e": "integer not null",
      "t.f": "text not null",
      "t.g": "text not null",
      "w.a": "integer",
    },
  );
});

Deno.test("readDeclaredTables() reads a qualified name, and ignores what follows the columns", () => {
  assert.deepEqual(
    columnsOf(
      `create table public.t (a numeric(8, 2) not null, b text default ')')
        partition by range (a, (b));
      create table "public" . "U" (c date) with (fillfactor = 70) tablespace x;
      create unlogged table if not exists PUBLIC.v (d text) inherits (t);
      create table w (e text); create table public.x (f text);
      create table other.t (z text not null);`,
      `alter table public.t alter column a type numeric(10, 2);
      alter table if exists only public.v add e integer not null;
      alter table other.t add y text;
      drop table if exists w, public.x cascade; drop table other.t`,
    ),
    {
      "t.a": "numeric(10,2) not null",
      "t.b": "text",
      "U.c": "date",
      "v.d": "text",
      "v.e": "integer not null",
    },
  );
});

Deno.test("readDeclaredTables() reads keys of columns of any names", () => {
  const tables = readDeclaredTables([{
    name: "0001",
    text: `create table held ("size (cm), inner" integer, b integer,
        constraint "its key" primary key ("size (cm), inner"));
      create table other ("a (b)" integer);
      alter table other add constraint "k 2" primary key ("a (b)")`,
  }]);

  assert.equal(tables.get("held")?.get("size (cm), inner")?.notNull, true);
  assert.equal(tables.get("held")?.get("b")?.notNull, false);
  assert.equal(tables.get("other")?.get("a (b)")?.notNull, true);
});
