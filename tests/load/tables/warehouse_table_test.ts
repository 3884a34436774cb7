import assert from "node:assert/strict";
import { connect } from "../../../lib/postgres/connect.ts";
import { readWarehouseTable } from "../../../load/tables/warehouse_table.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";

const MODEL = {
  name: "fact_thing",
  key: ["code", "thing_id"],
  kind: "fact",
  recordId: "thing_record_id",
} as const;

Deno.test("readWarehouseTable() reads columns, references and whether it holds a row", async () => {
  await using database = await openTestDatabase();
  await database.client.query(
    `create table dim_other (other_id integer primary key,
      is_placeholder boolean);
    create table fact_thing (thing_record_id bigint, code text, gone integer,
      thing_id integer, other integer references dim_other,
      valid_from timestamptz, valid_to timestamptz, from_batch bigint, to_batch bigint,
      is_placeholder boolean);
    alter table fact_thing drop column gone`,
  );
  await using connection = await connect(database.settings, {
    purpose: "test",
  });

  const table = await readWarehouseTable(connection.client, MODEL);

  assert.deepEqual(table.columns, ["code", "thing_id", "other"]);
  assert.deepEqual(table.references, [{
    constraint: "fact_thing_other_fkey",
    column: "other",
    dimension: "dim_other",
    dimensionKey: "other_id",
  }]);
  assert.equal(table.empty, true);
  await connection.client.query("insert into fact_thing values (1)");
  const filled = await readWarehouseTable(connection.client, MODEL);
  assert.equal(filled.empty, false);
});

Deno.test("readWarehouseTable() leaves out columns with a default that the model lacks", async () => {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;
  await client.query(
    `create table dim_other (other_id integer primary key);
    create table fact_thing (code text default 'x', thing_id integer,
      size integer default 1, number bigint generated always as identity,
      other integer default 1 references dim_other, at date default now(),
      double integer generated always as (thing_id * 2) stored)`,
  );

  const table = await readWarehouseTable(
    client,
    MODEL,
    () => Promise.resolve(["code", "thing_id", "size"]),
  );

  assert.deepEqual(table.columns, ["code", "thing_id", "size"]);
  assert.deepEqual(table.references, []);
});

Deno.test("readWarehouseTable() names a model without a table", async () => {
  await using database = await openTestDatabase();

  await assert.rejects(readWarehouseTable(database.client, MODEL), {
    name: "StageError",
    message:
      'Cannot load the model "fact_thing": the warehouse has no such table',
    subject: "fact_thing",
    hint:
      "Write a migration in sql/warehouse that creates it, or creates it again if somebody dropped it",
  });
});

for (
  const [column, says] of [
    [
      "valid_from timestamptz(0)",
      'its column "valid_from" is timestamp(0) with time zone, not timestamp with time zone',
    ],
    ["to_batch integer", 'its column "to_batch" is integer, not bigint'],
    [
      "code loose",
      'its key "code" takes different texts for the same (type loose, or a nondeterministic collation)',
    ],
    [
      "code text collate anycase",
      'its key "code" takes different texts for the same (type text, or a nondeterministic collation)',
    ],
  ] as const
) {
  Deno.test(`readWarehouseTable() refuses a table with the column ${column}`, async () => {
    await using database = await openTestDatabase();
    await using connection = await connect(database.settings, {
      purpose: "test",
    });
    await connection.client.query(
      `create collation anycase (provider = icu, locale = 'und-u-ks-level2',
        deterministic = false);
      create domain loose as text collate anycase;
      create table fact_thing (${column}, note text collate anycase)`,
    );

    await assert.rejects(readWarehouseTable(connection.client, MODEL), {
      name: "StageError",
      message: `Cannot load "fact_thing": ${says}`,
    });
  });
}
