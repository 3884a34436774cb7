import assert from "node:assert/strict";
import { integerKey, parseContract, typeSql } from "../../lib/contract.ts";
import { ConfigError } from "../../lib/errors.ts";

Deno.test("parseContract() reads columns, types, nulls and keys", () => {
  const tables = parseContract(`-- A comment; with a semicolon.
create table thing (
    -- Another one.
    thing_id integer not null,
    price numeric(10, 2),
    -- carried from jsonb
    body text not null,
    note text,
    primary key (thing_id, note)
);
create table other (
    id uuid not null,
    primary key (id)
);
`);

  assert.deepEqual(tables, [
    {
      name: "thing",
      columns: [
        { name: "thing_id", type: { name: "integer" }, notNull: true },
        {
          name: "price",
          type: { name: "numeric", precision: 10, scale: 2 },
          notNull: false,
        },
        {
          name: "body",
          type: { name: "text" },
          notNull: true,
          carriedFrom: "jsonb",
        },
        { name: "note", type: { name: "text" }, notNull: false },
      ],
      key: ["thing_id", "note"],
    },
    {
      name: "other",
      columns: [{ name: "id", type: { name: "uuid" }, notNull: true }],
      key: ["id"],
    },
  ]);
});

for (
  const { line, problem } of [
    {
      line: "price numeric",
      problem:
        'column "price" is numeric without precision and scale, which no engine keeps exactly: give them, or carry it as text',
    },
    {
      line: "price numeric(39,2)",
      problem: 'column "price" has more than 38 digits: carry it as text',
    },
    {
      line: "body jsonb",
      problem:
        'column "body" has the type jsonb, which is none of smallint, integer, bigint, numeric, boolean, text, date, timestamp, timestamptz, uuid',
    },
    {
      line: "note text(3,1)",
      problem: 'column "note" has brackets that text does not take',
    },
    {
      line: "note varchar(20)",
      problem: 'cannot read the line "note varchar(20)"',
    },
    {
      line: "size integer default 1",
      problem: 'cannot read the line "size integer default 1"',
    },
    {
      line: "-- carried from money\n    size integer",
      problem: 'column "size" is carried from money, so it must be text',
    },
  ]
) {
  Deno.test(`parseContract() refuses ${line.replace(/\s+/g, " ")}`, () => {
    const sql = `create table thing (
    id integer not null,
    ${line},
    primary key (id)
);`;

    assert.deepEqual(problemsOf(sql), [`Contract: "thing": ${problem}`]);
  });
}

Deno.test("parseContract() names every problem at once", () => {
  const problems = problemsOf(`create table thing (
    id integer not null,
    primary key (id, other)
);
create table thing (
    id integer not null
);
create view seen as select 1;`);

  assert.deepEqual(problems, [
    'Contract: "thing": no column "other" for the key',
    'Contract: "thing": no primary key',
    'Contract: not a plain "create table": create view seen as select 1',
    'Contract: the table "thing" is there twice',
  ]);
});

Deno.test("typeSql() writes a type as Postgres and DuckDB read it", () => {
  const numeric = { name: "numeric", precision: 12, scale: 3 } as const;

  assert.equal(typeSql(numeric), "numeric(12,3)");
  assert.equal(typeSql({ name: "timestamptz" }), "timestamptz");
});

Deno.test("integerKey() is a lone key column that is a whole number", () => {
  const keys = ["id", "id, size", "code", "day"].map((key) => {
    const [table] = parseContract(`create table thing (
    id bigint not null,
    size smallint not null,
    code text not null,
    day date not null,
    primary key (${key})
);`);
    return table && integerKey(table);
  });

  assert.deepEqual(keys, ["id", undefined, undefined, undefined]);
});

function problemsOf(sql: string): readonly string[] {
  try {
    parseContract(sql);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}
