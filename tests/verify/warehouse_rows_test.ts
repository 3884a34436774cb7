import assert from "node:assert/strict";
import { Random } from "../../demo/random.ts";
import { newSeed } from "../harness/seed.ts";
import { compareHeld, makeHeld, withEngines } from "./held_rows.ts";

const ROWS = 400;

/** A column in both engines, and a value of it as SQL of each. */
interface TestColumn {
  name: string;
  duckdb: string;
  postgres: string;
  isTime?: boolean;
  value: (random: Random) => string | Record<"DuckDB" | "Postgres", string>;
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
  ...["double", "float"].map((duckdb): TestColumn => ({
    name: `numeric_${duckdb}`,
    duckdb,
    postgres: "numeric",
    value: (random) =>
      oneOf(random, [
        "'1e30'",
        "'-1e-20'",
        "'NaN'",
        "'Infinity'",
        "'0'",
        "'1.50'",
        `'${random.between(-1e4, 1e4)}.${random.between(10, 99)}'`,
      ]),
  })),
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
  ...["timestamp", "timestamptz"].map((postgres): TestColumn => ({
    name: `midnight_${postgres}`,
    duckdb: "date",
    postgres,
    value: (random) =>
      oneOf(random, [
        "'infinity'",
        "'0001-01-01'",
        `date '2000-01-01' + ${anyDay(random)}`,
      ]),
  })),
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

function moment(
  random: Random,
  type: string,
): string | Record<"DuckDB" | "Postgres", string> {
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

/** A row of values in both engines' SQL; every tenth value is null. */
function anyRow(
  random: Random,
  number: number,
): Record<"DuckDB" | "Postgres", string> {
  const values = COLUMNS.map((column) => {
    const value = random.fraction() < 0.1 ? "null" : column.value(random);
    return typeof value === "string"
      ? { DuckDB: value, Postgres: value }
      : value;
  });
  const row = (engine: "DuckDB" | "Postgres") =>
    `(${[number, ...values.map((value) => value[engine])].join(", ")})`;
  return { DuckDB: row("DuckDB"), Postgres: row("Postgres") };
}

Deno.test("readFromWarehouse() gives any value as the lake has it", () =>
  withEngines(async (engines) => {
    const seed = newSeed();
    console.log(`TEST_SEED=${seed}`);
    const random = new Random(seed);
    const rows = Array.from({ length: ROWS }, (_, n) => anyRow(random, n));
    await makeHeld(engines, {
      columns: COLUMNS.map(({ name, postgres }) => `${name} ${postgres}`),
      rows: rows.map((row) => row.Postgres),
    });
    const columns = COLUMNS.map(({ name, duckdb }) => `${name} ${duckdb}`);
    await engines.duckdb.run(
      `create table held (number integer, ${columns.join(", ")})`,
    );
    await engines.duckdb.run(
      `insert into held values ${rows.map((row) => row.DuckDB).join(", ")}`,
    );

    assert.deepEqual(
      await compareHeld(engines, ["time_of_day"]),
      [],
      `TEST_SEED=${seed}`,
    );
  }));
