import assert from "node:assert/strict";
import { ConfigError } from "../../../lib/errors.ts";
import {
  integerKey,
  parseContract,
  typeSql,
} from "../../../lib/project/contract.ts";

Deno.test("parseContract() reads columns, types, nulls and keys", () => {
  const tables = parseContract(`-- A comment; with a semicolon.
create table thing (
    -- Another one.
    thing_id integer not null,
    price numeric(10, 2),
    -- carried from jsonb
    body text not null,
    note text, /* not read /* since 2020; */ other integer, */
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
  const [added, key] of [
    ["PRIMARY KEY (id) INCLUDE (code)", ["id"]],
    ["PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED", ["id"]],
    ["PRIMARY KEY (id) WITH (fillfactor='70')", ["id"]],
    ["PRIMARY KEY (id, held WITHOUT OVERLAPS)", ["id", "held"]],
    ["UNIQUE (code)", ["code"]],
    ["CHECK (id in (1, 2)), add primary key (code, id)", ["code", "id"]],
    ["UNIQUE (code), ADD CONSTRAINT p PRIMARY KEY (id)", ["id"]],
    ["UNIQUE NULLS NOT DISTINCT (code, id)", ["code", "id"]],
  ] as const
) {
  Deno.test(`parseContract() reads a key that a dump adds as ${added}`, () => {
    const [table] = parseContract(`create table public.thing (
      id integer not null, code text not null, held daterange, note text
    );
    ALTER TABLE ONLY public.thing ADD CONSTRAINT other UNIQUE (note);
    ALTER TABLE IF EXISTS ONLY public.thing
        ADD CONSTRAINT "its key" ${added};
    ALTER TABLE ONLY public.thing ADD CONSTRAINT more UNIQUE (id);`);

    assert.deepEqual(table?.key, key);
  });
}

for (
  const before of [
    "alter id set not null",
    "owner to somebody",
    "alter note set default 'a, add primary key (code)'",
  ]
) {
  Deno.test(`parseContract() reads a key that is added after: ${before}`, () => {
    const [table] = parseContract(`create table thing (
      id integer not null, code text not null, note text
    );
    alter table thing ${before}, add primary key (id);`);

    assert.deepEqual(table?.key, ["id"]);
  });
}

Deno.test("parseContract() reads types in a dump that quotes all names", () => {
  const [table] = parseContract(`CREATE TABLE "public"."thing" (
    "id" integer NOT NULL,
    "note" "text" DEFAULT 'x'::"text",
    "day" "date",
    "key" "uuid",
    "moods" "public"."mood"[],
    "kind" "sales"."Kind",
    "letter" "char",
    "local" timestamp without time zone
);
ALTER TABLE ONLY "public"."thing" ADD CONSTRAINT "p" PRIMARY KEY ("id");`);

  assert.deepEqual(
    table?.columns.map(({ type, carriedFrom }) => carriedFrom ?? typeSql(type)),
    [
      "integer",
      "text",
      "date",
      "uuid",
      "public.mood[]",
      'sales."Kind"',
      '"char"',
      "timestamp",
    ],
  );
});

Deno.test("parseContract() reads what pg_dump --schema-only writes", () => {
  const tables = parseContract(`\\restrict aBc
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TYPE public.mood AS ENUM ('sad', 'ok; or not');
CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql AS $_$ select 1; $_$;
SET default_tablespace = '';
--
-- Name: Order Details; Type: TABLE; Schema: sales; Owner: -
--
CREATE TABLE sales."Order Details" (
    "OrderID" integer NOT NULL,
    "select" character varying(16) DEFAULT 'a, b) not null'::character varying,
    "Größe (cm)" numeric(10,2) DEFAULT 1.0 NOT NULL,
    mood public.mood,
    moods public.mood[],
    names character varying(5)[] DEFAULT '{}'::character varying[] NOT NULL,
    at timestamp(3) with time zone DEFAULT now() NOT NULL,
    local timestamp without time zone,
    ratio double precision,
    total numeric GENERATED ALWAYS AS ((ratio)::numeric) STORED,
    huge numeric(50,2),
    code character(3),
    opens time(0) without time zone,
    CONSTRAINT positive CHECK (("OrderID" > 0))
)
PARTITION BY RANGE (at);
CREATE TABLE sales.part PARTITION OF sales."Order Details" DEFAULT;
ALTER TABLE sales."Order Details" ALTER COLUMN "OrderID" ADD GENERATED ALWAYS AS IDENTITY;
ALTER TABLE ONLY sales."Order Details"
    ADD CONSTRAINT "Order Details_pkey" PRIMARY KEY ("OrderID", at);
CREATE UNIQUE INDEX i ON sales."Order Details" USING btree (code);
COMMENT ON TABLE sales."Order Details" IS 'what; else';
`);

  const columns = tables[0]?.columns.map((
    { name, type, notNull, carriedFrom },
  ) =>
    `${name}: ${typeSql(type)}${notNull ? " not null" : ""}${
      carriedFrom === undefined ? "" : ` from ${carriedFrom}`
    }`
  );
  assert.deepEqual({ ...tables[0], columns }, {
    name: "Order Details",
    schema: "sales",
    key: ["OrderID", "at"],
    columns: [
      "OrderID: integer not null",
      "select: text",
      "Größe (cm): numeric(10,2) not null",
      "mood: text from public.mood",
      "moods: text from public.mood[]",
      "names: text not null from character varying(5)[]",
      "at: timestamptz not null",
      "local: timestamp",
      "ratio: text from double precision",
      "total: text from numeric",
      "huge: text from numeric(50,2)",
      "code: text from character(3)",
      "opens: text from time(0) without time zone",
    ],
  });
  assert.equal(tables.length, 1);
});

Deno.test("parseContract() skips whatever else a dump creates", () => {
  const tables = parseContract(`
CREATE COLLATION public.nocase (provider = icu, deterministic = false, locale = 'und-u-ks-level2');
CREATE FUNCTION app.both(a integer) RETURNS integer
    LANGUAGE sql
    BEGIN ATOMIC
 UPDATE app.counts SET n = (counts.n + 1);
 SELECT CASE
            WHEN (both.a > 0) THEN both.a
            ELSE 0
        END AS "case";
END;
CREATE PROCEDURE app.nothing()
    LANGUAGE sql
    BEGIN ATOMIC END;
CREATE FUNCTION app.quoted() RETURNS text LANGUAGE sql AS $_$ select 'begin atomic' $_$;
CREATE CAST (app.point AS text) WITH FUNCTION app.of_point(app.point);
CREATE TEXT SEARCH CONFIGURATION app.words (
    PARSER = pg_catalog."default" );
CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER other FOREIGN DATA WRAPPER elsewhere;
CREATE USER MAPPING FOR public SERVER other;
CREATE FOREIGN TABLE app.far (
    a integer NOT NULL
)
SERVER other;
CREATE UNLOGGED SEQUENCE app.numbers;
CREATE TABLE app.thing (
    id integer NOT NULL,
    exclude boolean NOT NULL,
    note text,
    has_note boolean GENERATED ALWAYS AS ((note IS NOT NULL)) STORED,
    lower text GENERATED ALWAYS AS (lower("primary key")) STORED NOT NULL,
    "unique" text CHECK (("unique" IS NOT NULL)),
    EXCLUDE USING gist (note WITH =),
    EXCLUDE (note WITH =)
);
CREATE TABLE "app 1"."part 2" PARTITION OF app.thing DEFAULT;
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON app.thing DEFERRABLE FOR EACH ROW EXECUTE FUNCTION app.f();
CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION app.g();
SECURITY LABEL FOR label ON TABLE app.thing IS 'x';
ALTER TABLE ONLY app.thing ADD CONSTRAINT thing_pkey PRIMARY KEY (id);
`);

  assert.deepEqual(
    tables.map(({ name, key, columns }) => ({
      name,
      key,
      columns: columns.map((column) =>
        `${column.name}${column.notNull ? " not null" : ""}`
      ),
    })),
    [{
      name: "thing",
      key: ["id"],
      columns: [
        "id not null",
        "exclude not null",
        "note",
        "has_note",
        "lower not null",
        "unique",
      ],
    }],
  );
});

Deno.test("parseContract() reads a dump's partitions as part of their table", () => {
  const columns = "(id integer NOT NULL, region text NOT NULL)";
  const tables = parseContract(`
CREATE TABLE lager.moves ${columns} PARTITION BY LIST (region);
CREATE TABLE lager."Süd" ${columns} PARTITION BY RANGE (id);
CREATE TABLE lager.south_1 ${columns};
CREATE TABLE old.moves_2019 (id integer NOT NULL PRIMARY KEY);
--
-- Name: Süd; Type: TABLE ATTACH; Schema: lager; Owner: postgres
--
ALTER TABLE ONLY lager.moves ATTACH PARTITION lager."Süd" FOR VALUES IN ('s');
ALTER TABLE ONLY lager."Süd" ATTACH PARTITION lager.south_1 DEFAULT;
ALTER TABLE ONLY old.moves ATTACH PARTITION old.moves_2019 DEFAULT;
ALTER TABLE ONLY lager.moves ADD CONSTRAINT moves_pkey PRIMARY KEY (id, region);
`);

  // The table that the last one is of is not in the contract.
  assert.deepEqual(tables.map(({ schema, name, key }) => [schema, name, key]), [
    ["lager", "moves", ["id", "region"]],
    ["old", "moves_2019", ["id"]],
  ]);
});

Deno.test("parseContract() knows PostgreSQL's other names of types", () => {
  const types = [
    "int",
    "int8",
    "bigserial",
    "bool",
    "varchar",
    "decimal(5)",
    "timestamptz(3)",
    "timestamp",
    "float8",
    "float4[]",
    "char",
    "timetz(2)",
    "int[][]",
    'public."My Type"',
    "interval day to second(3)",
    "bit varying(5)",
    "numeric(5,7)",
  ];
  const [table] = parseContract(
    `create table thing (id int primary key, ${
      types.map((type, index) => `c${index} ${type}`).join(", ")
    })`,
  );

  assert.deepEqual(
    table?.columns.slice(1).map(({ type, carriedFrom }) =>
      carriedFrom ?? typeSql(type)
    ),
    [
      "integer",
      "bigint",
      "bigint",
      "boolean",
      "text",
      "numeric(5,0)",
      "timestamptz",
      "timestamp",
      "double precision",
      "real[]",
      "character(1)",
      "time(2) with time zone",
      "integer[]",
      'public."My Type"',
      "interval day to second(3)",
      "bit varying(5)",
      "numeric(5,7)",
    ],
  );
});

for (
  const [what, body] of [
    [
      "a line of its own",
      "id integer not null, code text not null, primary key (id)",
    ],
    ["a column", "id integer primary key, code text not null"],
    [
      "a constraint and columns of any names",
      'id integer, "a (b), c" integer, constraint "my key" primary key (id)',
    ],
    [
      "no text that says unique",
      "code text not null default 'unique', id integer not null unique",
    ],
    [
      "a constraint",
      "id integer not null, code text, constraint k primary key (id)",
    ],
    [
      "what is unique",
      "id integer not null, code text unique, unique (code), unique (id)",
    ],
  ] as const
) {
  Deno.test(`parseContract() reads the key of ${what}`, () => {
    assert.deepEqual(parseContract(`create table thing (${body})`)[0]?.key, [
      "id",
    ]);
  });
}

Deno.test("parseContract() reads the columns that are left out on purpose", () => {
  const [table] = parseContract(`create table thing (
    id integer primary key,
    -- leaves out: photo, "Old, note"
    size integer
);`);

  assert.deepEqual(table?.leftOut, ["photo", "Old, note"]);
  assert.equal(table?.columns.length, 2);
});

for (
  const [line, problem] of [
    [
      "-- carried from money\n    size integer",
      'column "size" is carried from money, so it must be text',
    ],
    ["size", 'cannot read the line "size"'],
    [
      '"ID" integer',
      'column "ID" is declared twice: to DuckDB, names that differ only in case are the same',
    ],
    [
      '" note" text',
      '" note" begins with white space, or has a control character',
    ],
    [
      '"row key" text',
      'the pipeline has a column "row key" of its own: leave it out, or rename it in the source',
    ],
    [
      '"Why unreadable" text',
      'the pipeline has a column "Why unreadable" of its own: leave it out, or rename it in the source',
    ],
  ] as const
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

Deno.test("parseContract() takes for prose what stands before a statement", () => {
  const [thing, ...others] = parseContract(`-- Things.
-- carried from the system before
/* read by all */
-- carried from another
create table thing (
    id integer primary key,
    -- carried from mood
    mood text
);
-- carried from there, too
create index by_mood on thing (mood);`);

  assert.deepEqual(others, []);
  assert.deepEqual(
    thing?.columns.map(({ name, carriedFrom }) => [name, carriedFrom]),
    [["id", undefined], ["mood", "mood"]],
  );
});

Deno.test("parseContract() names every problem at once", () => {
  const problems = problemsOf(`create table thing (
    id integer not null,
    primary key (id, other)
);
create table "Thing" (
    id integer, unique (id)
);
create tabel seen (id integer);`);

  assert.deepEqual(problems, [
    'Contract: not a plain "create table": create tabel seen (id integer)',
    'Contract: "thing": no column "other" for the key',
    'Contract: "Thing": no primary key, nor columns that are unique and not null',
    'Contract: models would read thing and Thing by the one name "thing": give one of them another by a line "-- read as: name", the first in its brackets',
  ]);
});

Deno.test("typeSql() writes a type as Postgres and DuckDB read it", () => {
  const numeric = { name: "numeric", precision: 12, scale: 3 } as const;

  assert.equal(typeSql(numeric), "numeric(12,3)");
  assert.equal(typeSql({ name: "timestamptz" }), "timestamptz");
});

Deno.test("integerKey() is a key of a single integer column", () => {
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

Deno.test("parseContract() reads a key of columns of any names", () => {
  const [table] = parseContract(`create table thing (
    "size (cm), inner" integer not null,
    "a""b" integer not null,
    constraint "its key" primary key ("size (cm), inner", "a""b")
);`);

  assert.deepEqual(table?.key, ["size (cm), inner", 'a"b']);
});

Deno.test("parseContract() reads a name without quotes as PostgreSQL stores it", () => {
  const [table] = parseContract(
    "create table École (NAÏVE integer primary key)",
  );

  assert.deepEqual([table?.name, table?.key], ["École", ["naÏve"]]);
});
