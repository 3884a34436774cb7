import { smallProject } from "../../harness/companies/small_project.ts";
import { assertRefused, KEY, lots, prepareAll, SOURCE } from "./lots.ts";

Deno.test("a column may be named like a value function of DuckDB", async () => {
  await prepareAll(
    await smallProject({
      source: SOURCE.replace("note text", "user text,\n    current_date text"),
      models: [{
        name: "dim_lot",
        key: KEY,
        sql: "select lot_id, part, user, current_date from changed.lot",
      }],
    }),
  );
});

const OWN_NAMES = [
  "batch",
  "BATCH",
  "is_delete",
  "snapshot_time",
  "valid_from",
  "Valid_To",
  "from_batch",
  "to_batch",
  "is_placeholder",
  "is_first",
  "has_version",
  "is_last_version",
  "event_flags",
  "row_hash",
  "xmin",
  "ctid",
  "lot_record",
];
for (const name of OWN_NAMES) {
  Deno.test(`a model's column must not be named ${name}`, () =>
    assertRefused(
      lots(`select lot_id, part, note as "${name}" from changed.lot`, {
        kind: "fact",
        recordId: "lot_record",
      }),
      new RegExp(
        `its column "${name}" has a name that the pipeline uses itself`,
      ),
    ));
}

for (
  const [sql, message] of [
    ["select lot_id, part, note, note from changed.lot", /"note" twice/],
    [
      'select lot_id, part, note as x, seen as "X" from changed.lot',
      /"X" twice/,
    ],
    ["select *, note from changed.lot", /gives the column "note" twice/],
    [
      `select lot_id, part, note as ${"x".repeat(64)} from changed.lot`,
      /over 63 bytes/,
    ],
  ] as const
) {
  Deno.test(`a model's columns must not be: ${sql}`, () =>
    assertRefused(lots(sql.replace("*,", "lot_id, part, note,")), message));
}

for (
  const [first, second, message] of [
    [
      "dim_lot",
      "dim_lot_current",
      /"dim_lot_current" is a name of the model "dim_lot", too/,
    ],
    ["dim_lot", "DIM_LOT", /"dim_lot" is a name of the model "dim_lot"/i],
    ["dim_lot", "dim_lot_closed", /dim_lot_closed/],
    ["dim_lot", "staged_dim_lot", /staged_dim_lot/],
    [
      "dim_lot",
      "quarantine",
      /"quarantine" is a name of the model "quarantine"/,
    ],
    ["dim_lot", "quarantine_history", /quarantine_history/],
    ["dim_lot", "x".repeat(52), /has over 63 bytes/],
    ["dim_lot", "_state", /starts like those of the pipeline's own folders/],
    ["dim_lot", "pg_class", /starts like those of PostgreSQL's own tables/],
  ] as const
) {
  Deno.test(`models must not be named ${first} and ${second}`, () =>
    assertRefused(
      smallProject({
        source: SOURCE,
        models: [first, second].map((name) => ({
          name,
          key: KEY,
          sql: "select lot_id, part from changed.lot",
        })),
      }),
      message,
    ));
}

Deno.test("a model may have as many columns as a table of the warehouse", async () => {
  const wide = (columns: number) =>
    lots(
      `select lot_id, part, ${
        Array.from({ length: columns - 2 }, (_, index) => `note as c${index}`)
          .join(", ")
      } from changed.lot`,
    );

  await prepareAll(await wide(1595));
  await assertRefused(wide(1596), /has 1596 columns, .* holds 1595 beside/);
});

Deno.test("a key may have as many columns as an index of the warehouse, less one for the batch", async () => {
  const wide = (columns: number) => {
    const key = Array.from({ length: columns }, (_, index) => `c${index}`);
    const types = key.map((name) => `${name} integer not null`).join(", ");
    return smallProject({
      source: `create table wide (${types}, primary key (${key.join(", ")}));`,
      models: [{ name: "dim_wide", key, sql: "select * from changed.wide" }],
    });
  };

  await prepareAll(await wide(31));
  await assertRefused(
    wide(32),
    /its key has 32 columns, and an index of the warehouse holds 31/,
  );
});

Deno.test("the columns named in a header must be among the model's columns", async () => {
  const sql = "select lot_id, part from changed.lot";
  await assertRefused(
    lots("select lot_id from current.lot", { derivation: "join" }),
    /no column "part", which belongs to its key or is a time of day/,
  );
  await assertRefused(lots(sql, { times: ["seen"] }), /no column "seen"/);
});

Deno.test("a fact whose table is declared must have a record id", () =>
  assertRefused(
    smallProject({
      source: SOURCE,
      models: [{
        name: "fact_lot",
        kind: "fact",
        key: KEY,
        sql: "select lot_id, part from changed.lot",
      }],
      warehouse: "create table fact_lot (lot_id integer, part integer);",
    }),
    /neither `-- Serial number:` .* says what numbers the fact's versions/,
  ));
