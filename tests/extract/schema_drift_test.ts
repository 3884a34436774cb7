import assert from "node:assert/strict";
import { readLiveTables } from "../../extract/live_table.ts";
import { StageError } from "../../lib/errors.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { execute } from "../harness/platform.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";
import { CONTRACT, itemSql, read } from "./item_table.ts";

const REFUSED: [name: string, statements: string[], message: string][] = [
  [
    "a missing table",
    [],
    'there is no such table in the schema "public"',
  ],
  [
    "a table in another schema only",
    ["create schema other", itemSql({}, { name: "other.item" })],
    'there is no such table in the schema "public"',
  ],
  [
    "a missing column",
    [itemSql({ label: null })],
    'column "label" is missing',
  ],
  [
    "a renamed column",
    [itemSql({ label: null, title: "text" })],
    'column "label" is missing (renamed? the contract doesn\'t know title)',
  ],
  [
    "a missing column beside one that is left out",
    [itemSql({ label: null, photo: "bytea" })],
    'column "label" is missing',
  ],
  [
    "an integer for text",
    [itemSql({ label: "integer" })],
    'column "label" is now integer, the contract says text',
  ],
  [
    "a larger numeric",
    [itemSql({ price: "numeric(12,2) not null" })],
    'column "price" is now numeric(12,2), the contract says numeric(10,2)',
  ],
  [
    "a numeric of another scale",
    [itemSql({ price: "numeric(10,1) not null" })],
    'column "price" is now numeric(10,1), the contract says numeric(10,2)',
  ],
  [
    "a numeric without precision",
    [itemSql({ price: "numeric not null" })],
    'column "price" is now numeric, the contract says numeric(10,2)',
  ],
  [
    "a timestamp that has got a zone",
    [itemSql({ made: "timestamptz not null" })],
    'column "made" is now timestamp with time zone, the contract says timestamp',
  ],
  [
    "a timestamp that has lost its zone",
    [itemSql({ seen: "timestamp" })],
    'column "seen" is now timestamp without time zone, the contract says timestamptz',
  ],
  [
    "another type than the one it is carried from",
    [itemSql({ details: "json" })],
    'column "details" is now json, the contract says jsonb',
  ],
  [
    "a column that may now be null",
    [itemSql({ price: "numeric(10,2)" })],
    'column "price" may now be null, the contract says not null',
  ],
  [
    "a key column that may be null",
    [
      itemSql({ item_id: "bigint" }, { key: ", unique (item_id)" }),
      "insert into item values (null, 'x', 1, now())",
    ],
    'column "item_id" of its key may be null, and a key must not be: make it not null',
  ],
  [
    "a key column that is not null by its domain only",
    [
      "create domain id as bigint not null",
      itemSql({ item_id: "bigint" }, { key: ", unique (item_id)" }),
    ],
    'column "item_id" of its key may be null, and a key must not be: make it not null',
  ],
  [
    "a table without its key",
    [itemSql({}, { key: "" })],
    "no primary key or unique constraint on (item_id)",
  ],
  [
    "a unique index on a part of the rows",
    [
      itemSql({}, { key: "" }),
      "create unique index on item (item_id) where price > 0",
    ],
    "no primary key or unique constraint on (item_id)",
  ],
  [
    "a key of more columns",
    [itemSql({}, { key: ", primary key (item_id, price)" })],
    "no primary key or unique constraint on (item_id)",
  ],
  [
    "a view",
    [
      itemSql({}, { name: "kept" }),
      "create view item as select * from kept",
    ],
    "it is a view, and its changes can't be found: only ordinary and partitioned tables are read",
  ],
  [
    "a materialized view",
    [
      itemSql({}, { name: "kept" }),
      "create materialized view item as select * from kept",
    ],
    "it is a materialized view, and its changes can't be found: only ordinary and partitioned tables are read",
  ],
  [
    "a foreign table",
    [
      "create foreign data wrapper nowhere",
      "create server elsewhere foreign data wrapper nowhere",
      `${itemSql({}, { key: "" }).replace("create", "create foreign")}
        server elsewhere`,
    ],
    "it is a foreign table, and its changes can't be found: only ordinary and partitioned tables are read",
  ],
  [
    "a table that others inherit from",
    [itemSql(), "create table child () inherits (item)"],
    "other tables inherit from it, whose rows would be left out",
  ],
  [
    "a table of another access method",
    [
      "create access method columnar type table handler heap_tableam_handler",
      `${itemSql()} using columnar`,
    ],
    "its access method is columnar: only heap has the transaction ids by which changes are found",
  ],
  [
    "a sequence",
    ["create sequence item"],
    "it is not a table, and its changes can't be found: only ordinary and partitioned tables are read",
  ],
  [
    "a partition that is a foreign table",
    [
      "create foreign data wrapper nowhere",
      "create server elsewhere foreign data wrapper nowhere",
      `${itemSql({}, { key: "" })} partition by list (item_id)`,
      `create foreign table item_far partition of item default
        server elsewhere`,
    ],
    'its partition "item_far" is not an ordinary table',
  ],
];

for (const [name, statements, message] of REFUSED) {
  Deno.test(`readLiveTables() refuses ${name}`, async () => {
    await using database = await openTestDatabase();

    await assert.rejects(read(database, ...statements), (error) => {
      assert(error instanceof StageError, String(error));
      assert.equal(error.message, `Cannot read "item": ${message}`);
      assert.equal(error.subject, "item");
      assert.equal(error.retryable, false);
      assert.match(error.hint ?? "", /^Change the source back, or change sql/);
      return true;
    });
  });
}

for (
  const [kind, type, statements, names] of [
    ["a table's name", "regclass", [], "regclass"],
    ["roles' names", "aclitem[]", [], "aclitem"],
    [
      "a type's name inside a domain and an array",
      "kinds",
      ["create domain kinds as regtype[]"],
      "regtype",
    ],
    [
      "a role's name inside a composite type",
      "owner",
      ["create type owner as (since date, name regrole)"],
      "regrole",
    ],
    [
      "what a function reads",
      "mood",
      [
        "create type mood as enum ('a')",
        `create function say(mood) returns text language sql stable
          as 'select current_user::text'`,
        "create cast (mood as text) with function say(mood)",
      ],
      "mood, cast to text by say(mood)",
    ],
  ] as const
) {
  Deno.test(`readLiveTables() refuses a column that prints ${kind}`, async () => {
    await using database = await openTestDatabase();
    await execute(
      database.client,
      ...statements,
      `create table item (id integer primary key, value ${type})`,
    );
    const readWith = (column: string) =>
      readLiveTables(database.client, {
        sourceSchema: "public",
        tables: parseContract(
          `create table item (\n${column}id integer not null,\nprimary key (id)\n);`,
        ),
      });

    await assert.rejects(
      readWith(`-- carried from ${type}\nvalue text,\n`),
      (error) => {
        assert(error instanceof StageError);
        assert.equal(
          error.message,
          `Cannot read "item": column "value" reads as names of other objects (${names}), and no row shows when they change: leave it out of the contract, or let the source keep it as text or a number`,
        );
        return true;
      },
    );
    await readWith("");
  });
}

const NEWER: [from: number, name: string, statements: string[]][] = [
  [15, "a null in its key once", [
    itemSql(
      { item_id: "bigint" },
      { key: ", unique nulls not distinct (item_id)" },
    ),
  ]],
  [18, "nulls in its key from before they were forbidden", [
    itemSql({ item_id: "bigint" }, { key: ", unique (item_id)" }),
    "insert into item values (null, 'x', 1, now())",
    "alter table item add constraint item_id_set not null item_id not valid",
  ]],
];

for (const [from, name, statements] of NEWER) {
  Deno.test(`readLiveTables() refuses a table that may hold ${name}`, async () => {
    await using database = await openTestDatabase();
    const { rows } = await database.client.query("show server_version_num");
    if (Number(rows[0].server_version_num) < from * 10_000) return;

    await assert.rejects(read(database, ...statements), {
      message:
        'Cannot read "item": column "item_id" of its key may be null, and a key must not be: make it not null',
    });
  });
}

Deno.test("readLiveTables() refuses a null in any column of a key", async () => {
  await using database = await openTestDatabase();
  const tables = parseContract(`create table pair (
    a integer not null,
    b integer,
    primary key (a, b)
);`);
  await execute(
    database.client,
    "create table pair (a integer not null, b integer, unique (b, a))",
  );
  const readPair = () =>
    readLiveTables(database.client, { tables, sourceSchema: "public" });

  await assert.rejects(readPair(), {
    message:
      'Cannot read "pair": column "b" of its key may be null, and a key must not be: make it not null',
  });
  await execute(database.client, "alter table pair alter b set not null");
  await readPair();
});

Deno.test("readLiveTables() reports every difference of every table at once", async () => {
  await using database = await openTestDatabase();
  await execute(
    database.client,
    itemSql({ label: "integer", price: "numeric(10,2)" }),
  );
  const [item] = CONTRACT;
  assert(item !== undefined);

  await assert.rejects(
    readLiveTables(database.client, {
      tables: [{ ...item, name: "absent" }, item],
      sourceSchema: "public",
    }),
    (error) => {
      assert(error instanceof StageError);
      assert.equal(error.subject, "absent");
      assert.deepEqual(error.message.split("\n"), [
        'Cannot read "absent": there is no such table in the schema "public"',
        'Cannot read "item": column "label" is now integer, the contract says text',
        'Cannot read "item": column "price" may now be null, the contract says not null',
      ]);
      return true;
    },
  );
});

Deno.test("readLiveTables() reports extra columns, and ignores dropped ones", async () => {
  await using database = await openTestDatabase();

  const table = await read(
    database,
    itemSql({ note: "text", gone: "text", tag: "text" }),
    "alter table item drop column gone",
  );

  assert.deepEqual(table.extraColumns, ["note text", "tag text"]);
});
