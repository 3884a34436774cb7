import assert from "node:assert/strict";
import { Random } from "../../demo/random.ts";
import { readConfig } from "../../lib/config.ts";
import { openDuckDb } from "../../lib/duckdb.ts";
import { connect, query } from "../../lib/postgres.ts";
import { digestSql, hashRowsSql, toDigest } from "../../pipeline/digest.ts";
import {
  type Engine,
  type HashedColumn,
  isComparable,
  rangeSql,
  rowHashSql,
  rowTextSql,
} from "../../pipeline/row_hash.ts";
import { openTestDatabase } from "../harness/postgres.ts";

const ROWS = 400;

/** A column in both engines, and a value of it as SQL of each. */
interface TestColumn {
  name: string;
  duckdb: string;
  postgres: string;
  isTime?: boolean;
  value: (random: Random) => string | Record<Engine, string>;
}

const COLUMNS: readonly TestColumn[] = [
  {
    name: "small",
    duckdb: "smallint",
    postgres: "smallint",
    value: (random) => oneOf(random, ["-32768", "32767", "0", "7"]),
  },
  {
    name: "id",
    duckdb: "integer",
    postgres: "integer",
    value: (random) =>
      oneOf(random, ["-2147483648", "2147483647", "-1", "0", "16384"]),
  },
  {
    name: "big",
    duckdb: "bigint",
    postgres: "bigint",
    value: (random) =>
      oneOf(random, [
        "'-9223372036854775808'",
        "'9223372036854775807'",
        `${random.between(-1e9, 1e9)}`,
      ]),
  },
  {
    name: "whole",
    duckdb: "bigint",
    postgres: "numeric",
    value: (random) => `${random.between(-1e9, 1e9)}`,
  },
  {
    name: "money",
    duckdb: "decimal(15,2)",
    postgres: "numeric(15,2)",
    value: (random) =>
      oneOf(random, [
        "'9999999999999.99'",
        "'-9999999999999.99'",
        "'0.00'",
        "'-0.10'",
        "'100'",
        `'${random.between(-1e9, 1e9)}.${random.between(10, 99)}'`,
      ]),
  },
  {
    name: "wide",
    duckdb: "decimal(38,10)",
    postgres: "numeric",
    value: (random) =>
      oneOf(random, [
        "'9999999999999999999999999999.9999999999'",
        "'0.0000000001'",
        "'-1.5'",
        "'1000'",
      ]),
  },
  {
    name: "round",
    duckdb: "decimal(12,2)",
    postgres: "bigint",
    value: (random) => `${random.between(-1e9, 1e9)}`,
  },
  {
    name: "flag",
    duckdb: "boolean",
    postgres: "boolean",
    value: (random) => oneOf(random, ["true", "false"]),
  },
  {
    name: "day",
    duckdb: "date",
    postgres: "date",
    value: (random) =>
      oneOf(random, [
        "'infinity'",
        "'-infinity'",
        "'0001-01-01'",
        "'9999-12-31'",
        "'2024-02-29'",
        `date '2000-01-01' + ${anyDay(random)}`,
      ]),
  },
  {
    name: "moment",
    duckdb: "timestamp",
    postgres: "timestamp",
    value: (random) => moment(random, "timestamp"),
  },
  {
    name: "zoned",
    duckdb: "timestamptz",
    postgres: "timestamptz",
    value: (random) => moment(random, "timestamptz"),
  },
  {
    name: "time_of_day",
    duckdb: "varchar",
    postgres: "time",
    isTime: true,
    value: (random) =>
      oneOf(random, [
        "'00:00:00'",
        "'23:59:59.999999'",
        "'14:20:52.100'",
        "'14:20:52.000001'",
        "'07:00:00.000000'",
      ]),
  },
  {
    name: "words",
    duckdb: "varchar",
    postgres: "text",
    value: (random) => literal(anyText(random)),
  },
  {
    name: "code",
    duckdb: "uuid",
    postgres: "uuid",
    value: (random) =>
      oneOf(random, [
        "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",
        "'00000000-0000-0000-0000-000000000000'",
      ]),
  },
];

const PIECES = [
  "|",
  ":",
  "1:",
  "",
  "a",
  '"',
  "'",
  "\\",
  "\n",
  "\r\n",
  "\t",
  ",",
  "é",
  "e\u0301",
  "ß",
  "日本",
  "👩‍👩‍👧",
  "\u{1F3F4}\u{E0067}\u{E007F}",
  "\u202e",
  "\ufeff",
  "%s",
  "NULL",
];

function oneOf(random: Random, values: readonly string[]): string {
  return values[random.between(0, values.length - 1)] ?? "";
}

function anyText(random: Random): string {
  return Array.from(
    { length: random.between(0, 6) },
    () => oneOf(random, PIECES),
  ).join("");
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Days since 2000: from 4000 BC to the year 200,000. */
function anyDay(random: Random): number {
  return random.fraction() < 0.5
    ? random.between(-2_190_000, -731_000)
    : random.between(-731_000, 72_000_000);
}

function moment(random: Random, type: string): string | Record<Engine, string> {
  if (random.fraction() < 0.2) {
    return oneOf(random, ["'infinity'", "'-infinity'"]);
  }
  const days = anyDay(random);
  const micros = random.between(0, 86_399_999_999);
  const day = `cast(date '2000-01-01' + ${days} as ${type})`;
  return {
    DuckDB: `${day} + to_microseconds(${micros})`,
    Postgres: `${day} + ${micros} * interval '1 microsecond'`,
  };
}

/** Set `TEST_SEED` to repeat values that failed. */
function newSeed(): number {
  return Number(
    Deno.env.get("TEST_SEED") ??
      crypto.getRandomValues(new Uint32Array(1))[0],
  );
}

/** A row of values in both engines' SQL; every tenth value is null. */
function anyRow(random: Random, number: number): Record<Engine, string> {
  const values = COLUMNS.map((column) => {
    const value = random.fraction() < 0.1 ? "null" : column.value(random);
    return typeof value === "string"
      ? { DuckDB: value, Postgres: value }
      : value;
  });
  const row = (engine: Engine) =>
    `(${[number, ...values.map((value) => value[engine])].join(", ")})`;
  return { DuckDB: row("DuckDB"), Postgres: row("Postgres") };
}

async function withBothEngines(
  test: (ask: {
    duckdb: (sql: string) => Promise<Record<string, string | null>[]>;
    postgres: (sql: string) => Promise<Record<string, string | null>[]>;
  }) => Promise<void>,
): Promise<void> {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const folder = await Deno.makeTempDir();
  try {
    const config = readConfig(
      (name) => name === "TEMP_DIRECTORY" ? folder : undefined,
      [],
    );
    await using duckdb = await openDuckDb(config, { zones: [] });
    await test({
      duckdb: (sql) => duckdb.rows(sql),
      postgres: (sql) => query(connection.client, sql),
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function tableSql(engine: "duckdb" | "postgres"): string {
  const columns = COLUMNS.map((column) => `${column.name} ${column[engine]}`);
  return `create table held (number integer, ${columns.join(", ")})`;
}

async function hashedColumns(ask: {
  duckdb: (sql: string) => Promise<Record<string, string | null>[]>;
  postgres: (sql: string) => Promise<Record<string, string | null>[]>;
}): Promise<HashedColumn[]> {
  const described = await ask.duckdb("describe held");
  const types = await ask.postgres(
    `select attname, atttypid, atttypmod from pg_attribute
    where attrelid = 'held'::regclass`,
  );
  return COLUMNS.map(({ name, isTime = false }) => {
    const type = types.find((row) => row.attname === name);
    return {
      name,
      isTime,
      type: described.find((row) => row.column_name === name)?.column_type ??
        "",
      postgres: {
        id: Number(type?.atttypid),
        modifier: Number(type?.atttypmod),
      },
    };
  });
}

Deno.test("rowHashSql() gives the same of any value in both engines", () =>
  withBothEngines(async (ask) => {
    const seed = newSeed();
    console.log(`TEST_SEED=${seed}`);
    const random = new Random(seed);
    const rows = Array.from({ length: ROWS }, (_, n) => anyRow(random, n));
    await ask.duckdb(tableSql("duckdb"));
    await ask.postgres(tableSql("postgres"));
    await ask.duckdb(
      `insert into held values ${rows.map((row) => row.DuckDB).join(", ")}`,
    );
    await ask.postgres(
      `insert into held values ${rows.map((row) => row.Postgres).join(", ")}`,
    );
    const columns = await hashedColumns(ask);
    const [id, words] = ["id", "words"].map((name) =>
      columns.filter((column) => column.name === name)
    );

    const selectSql = (engine: Engine) =>
      `select number, ${rowTextSql(columns, engine)} as row_text,
        ${rowHashSql(columns, engine)} as row_hash,
        ${rangeSql(id ?? [], engine)} as integer_range,
        ${rangeSql(words ?? [], engine)} as text_range
      from held order by number`;
    const digest = (engine: Engine) =>
      digestSql({
        engine,
        key: id ?? [],
        sql: hashRowsSql("held", { engine, key: id ?? [], columns }),
      });

    assert.ok(columns.every(isComparable));
    const inDuckDb = await ask.duckdb(selectSql("DuckDB"));
    assert.equal(inDuckDb.length, ROWS);
    assert.deepEqual(
      await ask.postgres(selectSql("Postgres")),
      inDuckDb,
      `TEST_SEED=${seed}`,
    );
    assert.deepEqual(
      toDigest(await ask.postgres(digest("Postgres"))),
      toDigest(await ask.duckdb(digest("DuckDB"))),
      `TEST_SEED=${seed}`,
    );
  }));

Deno.test("rowTextSql() tells apart what joins to the same text", () =>
  withBothEngines(async (ask) => {
    const columns: HashedColumn[] = ["a", "b"].map((name) => ({
      name,
      type: "VARCHAR",
      isTime: false,
      postgres: { id: 25, modifier: -1 },
    }));
    const pairs = [
      "('x', 'y')",
      "('xy', '')",
      "('', 'xy')",
      "('xy', null)",
      "(null, 'xy')",
      "('x|1:y', '')",
      "('x|', 'y')",
      "('', '')",
      "(null, null)",
      "(null, '')",
    ];
    const texts = (engine: Engine) =>
      `select ${rowTextSql(columns, engine)} as text
      from (values ${pairs.join(", ")}) as pairs (a, b)`;

    for (const engine of ["DuckDB", "Postgres"] as const) {
      const found = engine === "DuckDB"
        ? await ask.duckdb(texts(engine))
        : await ask.postgres(texts(engine));
      assert.equal(new Set(found.map((row) => row.text)).size, pairs.length);
    }
  }));

Deno.test("rowTextSql() shows digits that the lake's number does not have", () =>
  withBothEngines(async (ask) => {
    const column: HashedColumn = {
      name: "amount",
      type: "DECIMAL(15,2)",
      isTime: false,
      postgres: { id: 1700, modifier: -1 },
    };

    const texts = await ask.postgres(
      `select ${rowTextSql([column], "Postgres")} as text
      from (values (1.5), (1.501), ('NaN'), ('Infinity')) as held (amount)`,
    );

    assert.deepEqual(texts.map((row) => row.text), [
      "1.50|",
      "1.501|",
      "NaN|",
      "Infinity|",
    ]);
  }));

Deno.test("rowTextSql() takes more columns than a function has arguments", () =>
  withBothEngines(async (ask) => {
    const columns = Array.from({ length: 130 }, (_, n): HashedColumn => ({
      name: `c${n}`,
      type: "VARCHAR",
      isTime: false,
      postgres: { id: 25, modifier: -1 },
    }));
    const from = `(select ${
      columns.map(({ name }, n) => `'${n}' as ${name}`).join(", ")
    }) as held`;
    const select = (engine: Engine) =>
      `select ${rowTextSql(columns, engine)} as text from ${from}`;

    assert.deepEqual(
      await ask.postgres(select("Postgres")),
      await ask.duckdb(select("DuckDB")),
    );
  }));

Deno.test("isComparable() refuses what the engines write differently", () => {
  const column = (type: string, id: number): HashedColumn => ({
    name: "c",
    type,
    isTime: false,
    postgres: { id, modifier: -1 },
  });

  assert.equal(isComparable(column("VARCHAR", 25)), true);
  assert.equal(isComparable(column("DOUBLE", 701)), false);
  assert.equal(isComparable(column("VARCHAR", 3802)), false);
  assert.equal(
    isComparable({ name: "c", type: "DATE", isTime: false }),
    false,
  );
});
