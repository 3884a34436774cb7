import assert from "node:assert/strict";
import { type LiveTable, readLiveTables } from "../../extract/live_table.ts";
import { StageError } from "../../lib/errors.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { execute } from "../harness/platform.ts";
import { openTestDatabase, type TestDatabase } from "../harness/postgres.ts";

const CONTRACT = parseContract(`create table item (
    item_id bigint not null,
    label text,
    price numeric(10,2) not null,
    made timestamp not null,
    seen timestamptz,
    -- carried from jsonb
    details text,
    primary key (item_id)
);`);
const COLUMNS = {
  item_id: "bigint not null",
  label: "text",
  price: "numeric(10,2) not null",
  made: "timestamp not null",
  seen: "timestamptz",
  details: "jsonb",
};

/** The contract's table with some columns changed; null: without them. */
function itemSql(
  changed: Record<string, string | null> = {},
  options: { key?: string; name?: string } = {},
): string {
  const columns = Object.entries({ ...COLUMNS, ...changed })
    .flatMap(([name, type]) => type === null ? [] : [`${name} ${type}`]);
  const { key = ", primary key (item_id)", name = "item" } = options;
  return `create table ${name} (${columns.join(", ")}${key})`;
}

async function read(
  { client }: TestDatabase,
  ...statements: string[]
): Promise<LiveTable> {
  await execute(client, ...statements);
  const [table] = await readLiveTables(client, {
    tables: CONTRACT,
    sourceSchema: "public",
  });
  assert(table !== undefined);
  return table;
}

const FITTING: [name: string, changed: Record<string, string | null>][] = [
  ["a column of varchar for text", { label: "varchar(20)" }],
  ["a column of varchar without a length", { label: "varchar" }],
  ["a smaller numeric of the same scale", { price: "numeric(8,2) not null" }],
  ["an integer for bigint", { item_id: "integer not null" }],
  ["a smallint for bigint", { item_id: "smallint not null" }],
  ["timestamps of milliseconds", {
    made: "timestamp(3) not null",
    seen: "timestamptz(0)",
  }],
  ["a column that is never null for one that may be", {
    label: "text not null",
  }],
];

for (const [name, changed] of FITTING) {
  Deno.test(`readLiveTables() takes ${name}`, async () => {
    await using database = await openTestDatabase();

    const table = await read(database, itemSql(changed));

    assert.deepEqual(table.extraColumns, []);
    assert.equal(table.from, 'only "public"."item"');
  });
}

Deno.test("readLiveTables() takes types however PostgreSQL lets them be written", async () => {
  const types = [
    "char varying(5)",
    "national character varying(5)",
    "nchar varying",
    "nchar",
    "national char(3)",
    "bpchar",
    "bpchar(3)",
    "bit",
    "bit varying",
    "float(24)",
    "float (25)",
    "FLOAT",
    "integer array",
    "text ARRAY[4]",
    "timestamp(3) with time zone array",
    "dec(5)",
  ];
  const sql = `create table item (${
    types.map((type, index) => `c${index} ${type},\n`).join("")
  } item_id integer primary key)`;
  await using database = await openTestDatabase();
  await execute(database.client, sql);

  const [table] = await readLiveTables(database.client, {
    tables: parseContract(sql),
    sourceSchema: "public",
  });

  assert.equal(table?.contract.columns.length, types.length + 1);
});

Deno.test("readLiveTables() takes a key whose index includes other columns", async () => {
  await using database = await openTestDatabase();

  const table = await read(
    database,
    itemSql({}, { key: ", primary key (item_id) include (price, label)" }),
  );

  assert.deepEqual(table.contract.key, ["item_id"]);
});

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

Deno.test("readLiveTables() takes a type with or without its schema", async () => {
  await using database = await openTestDatabase();
  await execute(
    database.client,
    "create type mood as enum ('a')",
    'create schema "Other"',
    `create type "Other".mood as enum ('a')`,
    'create table item (id integer primary key, a mood, b "Other".mood[])',
  );
  const readAs = (a: string, b: string) =>
    readLiveTables(database.client, {
      sourceSchema: "public",
      tables: parseContract(`create table item (
    id integer not null,
    -- carried from ${a}
    a text,
    -- carried from ${b}
    b text,
    primary key (id)
);`),
    });

  await readAs("mood", '"Other".mood[]');
  await readAs("public.mood", "mood[]");
  await execute(database.client, "set search_path to pg_catalog");
  await readAs("mood", '"Other".mood[]');
  await assert.rejects(readAs("other.mood", "mood[]"), {
    message:
      'Cannot read "item": column "a" is now public.mood, the contract says other.mood',
  });
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

Deno.test("readLiveTables() takes a unique constraint for the key", async () => {
  await using database = await openTestDatabase();

  const table = await read(
    database,
    itemSql({}, { key: ", unique (label), unique (item_id)" }),
  );

  assert.equal(table.contract.name, "item");
});

Deno.test("readLiveTables() takes a deferrable key", async () => {
  await using database = await openTestDatabase();

  // No snapshot sees what they do before.
  const table = await read(
    database,
    itemSql({}, {
      key: ", unique (item_id) deferrable initially deferred",
    }),
  );

  assert.deepEqual(table.contract.key, ["item_id"]);
});

Deno.test("readLiveTables() takes a table that inherits, and reads it alone", async () => {
  await using database = await openTestDatabase();
  const { client } = database;

  const table = await read(
    database,
    itemSql({}, { name: "parent" }),
    "create table item (primary key (item_id)) inherits (parent)",
    "insert into parent values (1, 'its parent', 1, now())",
    "insert into item values (2, 'own', 1, now())",
  );

  const { rows } = await client.query(`select label from ${table.from}`);
  assert.deepEqual(rows, [{ label: "own" }]);
  assert.equal(table.parts.length, 1);
});

Deno.test("readLiveTables() finds the leaves of a partitioned table", async () => {
  await using database = await openTestDatabase();
  const { client } = database;

  const table = await read(
    database,
    `${itemSql()} partition by range (item_id)`,
    "create schema old",
    "create table old.low partition of item for values from (0) to (10)",
    `create table high partition of item for values from (10) to (100)
      partition by range (item_id)`,
    'create table "high\'s" partition of high default',
    "insert into item select n, 'x', 1, now() from generate_series(8, 12) as n",
  );

  assert.equal(table.from, '"public"."item"');
  const { rows } = await client.query(
    `select tableoid::text as oid, tableoid::regclass::text as name,
      count(*)::int as rows from ${table.from} group by tableoid order by 2 desc`,
  );
  assert.deepEqual(rows, [
    { oid: table.parts[0]?.oid, name: "old.low", rows: 2 },
    { oid: table.parts[1]?.oid, name: `"high's"`, rows: 3 },
  ]);
  assert.equal(table.parts.length, 2);
});

Deno.test("readLiveTables() gives a rewritten table a new identity", async () => {
  await using database = await openTestDatabase();
  const identities = [(await read(database, itemSql())).identity];
  const same = await read(
    database,
    "insert into item values (1, 'x', 1, now())",
    "alter table item add note text",
    "vacuum item",
  );
  assert.equal(same.identity, identities[0]);

  for (
    const statements of [
      ["vacuum full item"],
      ["truncate item"],
      ["alter table item drop column label", "alter table item add label text"],
      ["alter table item rename to retired", itemSql()],
    ]
  ) {
    const { identity } = await read(database, ...statements);
    assert(!identities.includes(identity), statements.join("; "));
    identities.push(identity);
  }
});

Deno.test("readLiveTables() gives a partition a new identity if a column was replaced while it was detached", async () => {
  await using database = await openTestDatabase();
  const identities = [
    (await read(
      database,
      `${itemSql()} partition by range (item_id)`,
      "create table low partition of item for values from (0) to (10)",
    )).identity,
  ];

  for (const value of ["'a'", "'b'"]) {
    const { identity } = await read(
      database,
      "alter table item detach partition low",
      "alter table low drop column label",
      `alter table low add label text default ${value}`,
      "alter table item attach partition low for values from (0) to (10)",
    );
    assert(!identities.includes(identity), value);
    identities.push(identity);
  }
});

Deno.test("readLiveTables() gives a table a new identity when it gets another partition", async () => {
  await using database = await openTestDatabase();
  const before = await read(
    database,
    `${itemSql()} partition by range (item_id)`,
    "create table low partition of item for values from (0) to (10)",
  );

  const after = await read(
    database,
    "create table high partition of item for values from (10) to (20)",
  );

  assert.notEqual(after.identity, before.identity);
});
