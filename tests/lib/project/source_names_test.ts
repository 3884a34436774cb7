import assert from "node:assert/strict";
import { parseContract } from "../../../lib/project/contract.ts";
import {
  checkSourceNames,
  inSource,
  lacksTable,
} from "../../../lib/project/source_names.ts";

const COLUMNS = "(id integer primary key);\n";

function namesOf(...tables: string[]): string[] {
  return parseContract(
    tables.map((table) => `create table ${table} ${COLUMNS}`).join(""),
  ).map((table) => {
    const { schema, name } = inSource(table, { sourceSchema: "public" });
    return `${table.name} is ${schema}.${name}`;
  });
}

Deno.test("parseContract() tells tables of one name in two schemas apart", () => {
  assert.deepEqual(namesOf("sales.orders", "archive.orders", "sales.lot"), [
    "sales__orders is sales.orders",
    "archive__orders is archive.orders",
    "lot is sales.lot",
  ]);
  assert.deepEqual(namesOf('sales."Orders"', "archive.orders"), [
    "sales__Orders is sales.Orders",
    "archive__orders is archive.orders",
  ]);
  assert.deepEqual(namesOf("orders", "archive.orders"), [
    "orders is public.orders",
    "archive__orders is archive.orders",
  ]);
});

Deno.test("parseContract() gives a table the name that the contract reads it as", () => {
  const tables = parseContract(`create table sales.orders ${COLUMNS}
create table archive.orders (
    -- read as: "Old orders"
    id integer primary key
);`);

  assert.deepEqual(tables.map(({ name, sourceName }) => [name, sourceName]), [
    ["orders", undefined],
    ["Old orders", "orders"],
  ]);
  assert.equal(
    lacksTable("orders", tables.slice(1)),
    'is not in sql/source.sql, where the table of that name is read as "Old orders"',
  );
  assert.throws(
    () =>
      parseContract(`create table sales.orders ${COLUMNS}
create table archive.orders (
    -- read as: Orders
    id integer primary key
);`),
    /models would read sales.orders and archive.orders by the one name "orders"/,
  );
});

Deno.test("parseContract() takes no other comment for a table's name in models", () => {
  const names = (sql: string) =>
    parseContract(sql).map(({ name, sourceName }) => [name, sourceName]);
  for (
    const sql of [
      `-- read as: old\ncreate table orders ${COLUMNS}`,
      `-- Those (\n-- read as: old\ncreate table orders ${COLUMNS}`,
      `/*\ncreate table x (\n-- read as: old\n);\n*/create table orders ${COLUMNS}`,
      `create table orders (id integer primary key\n-- read as: old\n);`,
      `create table orders (\n  id integer primary key,\n  -- read as: minutes\n  placed integer\n);`,
      `create table orders (id integer primary key, note text default 'a (\n-- read as: old\nb');`,
      `create table orders ${COLUMNS}-- read as: old\n`,
    ]
  ) assert.deepEqual(names(sql), [["orders", undefined]], sql);
  assert.deepEqual(
    names(
      `create table orders ${COLUMNS}-- read as: old\ncreate table items ${COLUMNS}`,
    ),
    [["orders", undefined], ["items", undefined]],
  );
});

for (const written of ["old orders", "old;", "archive.orders", '""', '"a" b']) {
  Deno.test(`parseContract() refuses what is no name: -- read as: ${written}`, () => {
    assert.throws(
      () =>
        parseContract(
          `create table orders (\n    -- read as: ${written}\n    id integer primary key\n);`,
        ),
      new RegExp(`"orders": "-- read as: ${written}" gives no name`),
    );
  });
}

Deno.test("parseContract() keeps a table's short name if only a partition shares it", () => {
  const [table, ...others] = parseContract(`create table sales.orders ${COLUMNS}
create table old.orders ${COLUMNS}
alter table only sales.orders attach partition old.orders default;`);

  assert.equal(table?.name, "orders");
  assert.deepEqual(others, []);
});

Deno.test("parseContract() assigns a key to the table in its schema", () => {
  const tables = parseContract(`create table sales.orders (id integer not null);
create table archive.orders (id integer not null, year integer not null);
alter table only archive.orders add constraint one primary key (id, year);
alter table only sales.orders add constraint one primary key (id);`);

  assert.deepEqual(tables.map(({ name, key }) => [name, ...key]), [
    ["sales__orders", "id"],
    ["archive__orders", "id", "year"],
  ]);
});

Deno.test("parseContract() refuses names that would collide", () => {
  for (
    const tables of [
      ["sales.orders", 'sales."Orders"'],
      ["orders", '"Orders"'],
      ["sales.orders", "archive.orders", "public.sales__orders"],
    ]
  ) {
    assert.throws(() => namesOf(...tables), {
      name: "ConfigError",
      message:
        /models would read \S+ and \S+ by the one name "\w+": give one of them another by a line "-- read as: name"/,
    });
  }
  assert.throws(() => namesOf("sales.orders", "sales.orders"), {
    name: "ConfigError",
    message: 'Contract: the table "sales__orders" is declared twice',
  });
});

Deno.test("checkSourceNames() refuses the same table with and without its schema", () => {
  const tables = parseContract(
    `create table orders ${COLUMNS}create table public.orders ${COLUMNS}`,
  );

  checkSourceNames(tables, { sourceSchema: "sales" });
  assert.throws(() => checkSourceNames(tables, { sourceSchema: "public" }), {
    name: "ConfigError",
    message:
      "Contract: the table public.orders is declared twice, once without its schema, which is SOURCE_SCHEMA (public)",
  });
});
