import assert from "node:assert/strict";
import { join } from "node:path";
import { Random } from "../../demo/random.ts";
import { type DuckDb, openDuckDb } from "../../lib/duckdb/duckdb.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { type Connection, inTransaction } from "../../lib/postgres/postgres.ts";
import { readConfig } from "../../lib/settings/config.ts";
import { comparableSql } from "../../verify/comparable_sql.ts";
import { WORK_CATALOGUE } from "../../verify/expectation.ts";
import { findDifferences } from "../../verify/find_differences.ts";
import type { ModelInLake } from "../../verify/lake_rows.ts";
import {
  copyFromWarehouse,
  ENDED_IN_WAREHOUSE,
  INEXACT,
  OPEN_IN_WAREHOUSE,
  readFromWarehouse,
} from "../../verify/warehouse_rows.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { newSeed } from "../harness/seed.ts";

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

interface Engines {
  duckdb: DuckDb;
  postgres: Connection["client"];
  folder: string;
}

async function withEngines(
  test: (engines: Engines) => Promise<void>,
): Promise<void> {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  // A folder named so has made a column, in some readers.
  const made = await Deno.makeTempDir();
  const folder = join(made, "number=7");
  await Deno.mkdir(folder);
  try {
    const config = readConfig(
      (name) => name === "TEMP_DIRECTORY" ? folder : undefined,
      [],
    );
    await using duckdb = await openDuckDb(config, { zones: [folder] });
    await duckdb.run(
      `attach '${join(folder, "verify.duckdb")}' as ${WORK_CATALOGUE}`,
    );
    await test({ duckdb, postgres: connection.client, folder });
  } finally {
    await Deno.remove(made, { recursive: true });
  }
}

/** Makes a table of the warehouse with what loads add, and its views. */
async function makeHeld(
  { postgres }: Engines,
  options: { columns: readonly string[]; rows: readonly string[] },
): Promise<void> {
  const { columns, rows } = options;
  await postgres.query(
    `create schema pipeline;
    create table pipeline.batch as select 1::bigint as batch;
    create table held (number integer, ${columns.join(", ")});
    insert into held values ${rows.join(", ")};
    alter table held add column valid_from timestamptz default '2023-01-01',
      add column valid_to timestamptz, add column from_batch bigint default 1,
      add column to_batch bigint;
    create view held_history as select * from held;
    create function held_as_of_batch(bigint) returns setof held_history
      language sql as 'select * from public.held_history where from_batch <= $1 and (to_batch is null or to_batch > $1)';
    create view held_current as select * from held where to_batch is null;
    create function held_as_of_time(timestamptz) returns setof held_history
      language sql as 'select * from public.held_history where valid_from <= $1 and (valid_to is null or valid_to > $1)'`,
  );
}

/** As `verify` does it: in one transaction. */
function copyIn(
  postgres: Connection["client"],
  options: Parameters<typeof copyFromWarehouse>[1],
) {
  return inTransaction(
    postgres,
    { oneState: true },
    () => copyFromWarehouse(postgres, options),
  );
}

/** Compares them with the same rows of DuckDB; gives the numbers that differ. */
async function compareHeld(
  { duckdb, postgres, folder }: Engines,
  times: readonly string[] = [],
): Promise<(string | null)[]> {
  const described = await duckdb.rows("describe held");
  const columns = described.map((row) => ({
    name: row.column_name ?? "",
    type: row.column_type ?? "",
    isTime: times.includes(row.column_name ?? ""),
  }));
  const model: ModelInLake = {
    name: "held",
    kind: "fact",
    derivation: "row",
    reads: [],
    key: ["number"],
    columns,
  };
  const held = await copyIn(postgres, { model, batch: 1, folder });
  assert.deepEqual(held.differing, []);
  assert.deepEqual(held.views, []);
  await readFromWarehouse(duckdb, held);
  const [ended] = await duckdb.rows(
    `select count(*) as rows from ${ENDED_IN_WAREHOUSE}`,
  );
  assert.equal(ended?.rows, "0");
  const found = await findDifferences(duckdb, {
    key: model.key,
    columns: [...columns.map(({ name }) => name).slice(1), " inexact"],
    expected: `(select ${
      held.columns.map((column) =>
        `${comparableSql(column)} as "${column.name}"`
      )
        .join(", ")
    }, false as ${INEXACT} from held)`,
    actual: OPEN_IN_WAREHOUSE,
    doubles: `(select number from held limit 0)`,
  });
  assert.equal(found.keys, found.firstKeys.length);
  return found.firstKeys.map(({ key, kind }) => `${key} ${kind}`);
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

/** A type of each engine, and pairs of values that are not the same. */
const DIFFERENT: readonly {
  duckdb: string;
  postgres: string;
  pairs: readonly (readonly [duckdb: string, postgres: string])[];
}[] = [
  {
    duckdb: "varchar",
    postgres: "text",
    pairs: [
      ["null", "''"],
      ["''", "null"],
      ["'\\N'", "null"],
      ["null", "'\\N'"],
      ["'a'", "'a '"],
      ["e'a\\nb'", "e'a\\r\\nb'"],
      ["'é'", "e'e\\u0301'"],
      ["'NULL'", "null"],
    ],
  },
  {
    duckdb: "decimal(15,2)",
    postgres: "numeric",
    pairs: [
      ["1.50", "1.501"],
      ["1.50", "1.4999999999999999999999"],
      ["0", "'NaN'"],
      ["null", "'Infinity'"],
      ["null", "1e30"],
      ["0", "0.001"],
      ["null", "0"],
    ],
  },
  {
    duckdb: "integer",
    postgres: "numeric",
    pairs: [["2", "1.5"], ["2", "2.4"], ["null", "99999999999"]],
  },
  {
    duckdb: "integer",
    postgres: "double precision",
    pairs: [["1", "1.2"], ["null", "'NaN'"]],
  },
  {
    duckdb: "date",
    postgres: "date",
    pairs: [
      ["'0044-03-15'", "'0044-03-15 BC'"],
      ["'0044-03-15 (BC)'", "'0044-03-15'"],
      ["'infinity'", "'-infinity'"],
    ],
  },
  {
    duckdb: "date",
    postgres: "timestamp",
    pairs: [["'2023-01-01'", "'2023-01-01 05:00:00'"]],
  },
  {
    duckdb: "timestamp",
    postgres: "timestamp",
    pairs: [
      ["'2023-01-01 00:00:00'", "'2023-01-01 00:00:00.000001'"],
      ["'0044-03-15 01:00:00'", "'0044-03-15 01:00:00 BC'"],
      ["null", "'294276-01-01'"],
    ],
  },
  {
    duckdb: "boolean",
    postgres: "boolean",
    pairs: [["true", "false"], ["null", "false"]],
  },
  {
    duckdb: "double",
    postgres: "double precision",
    pairs: [["0.1", "0.10000000000000002"], ["null", "'NaN'"]],
  },
  {
    duckdb: "double",
    postgres: "numeric",
    pairs: [
      ["0.1", "0.10000000000000000001"],
      ["1e30", "1000000000000000000000000000001"],
      ["-0.5", "0.5"],
      ["5e3", "500"],
    ],
  },
  {
    duckdb: "uuid",
    postgres: "text",
    pairs: [["null", "'no uuid'"]],
  },
  {
    duckdb: "integer[]",
    postgres: "text",
    pairs: [["[1, 2]", "'[1, 3]'"], ["[]", "null"]],
  },
];

for (const { duckdb, postgres, pairs } of DIFFERENT) {
  Deno.test(`readFromWarehouse() distinguishes what no ${duckdb} is from ${postgres}`, () =>
    withEngines(async (engines) => {
      await makeHeld(engines, {
        columns: [`value ${postgres}`],
        rows: pairs.map(([, value], number) => `(${number}, ${value})`),
      });
      await engines.duckdb.run(
        `create table held (number integer, value ${duckdb})`,
      );
      for (const [number, [value]] of pairs.entries()) {
        await engines.duckdb.run(
          `insert into held values (${number}, ${value})`,
        );
      }

      assert.deepEqual(
        await compareHeld(engines),
        pairs.map((_, number) => `${number} different`),
      );
    }));
}

Deno.test("copyFromWarehouse() names the columns that one side has alone", () =>
  withEngines(async ({ postgres, folder }) => {
    await makeHeld({ postgres } as Engines, {
      columns: ["a integer", "b integer"],
      rows: ["(1, 2, 3)"],
    });
    await postgres.query("alter table held add column late integer");
    const columnsOf = (...names: string[]) =>
      names.map((name) => ({ name, type: "INTEGER", isTime: false }));
    const model: ModelInLake = {
      name: "held",
      kind: "fact",
      derivation: "row",
      reads: [],
      key: ["number"],
      columns: columnsOf("number", "a", "late", "never"),
    };

    const held = await copyIn(postgres, { model, batch: 1, folder });
    const keyless = await copyIn(postgres, {
      model: { ...model, key: ["never"] },
      batch: 1,
      folder: await Deno.makeTempDir({ dir: folder }),
    });

    // Its table has the late one, and its views do not.
    assert.deepEqual(held.differing, [
      { column: "late", kind: "missing" },
      { column: "never", kind: "missing" },
      { column: "b", kind: "extra" },
    ]);
    assert.deepEqual(held.columns.map(({ name }) => name), ["number", "a"]);
    assert.equal(keyless.files, undefined);
  }));
