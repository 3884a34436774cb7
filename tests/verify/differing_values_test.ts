import assert from "node:assert/strict";
import type { ModelInLake } from "../../verify/lake_rows.ts";
import {
  compareHeld,
  copyIn,
  type Engines,
  makeHeld,
  withEngines,
} from "./held_rows.ts";

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
