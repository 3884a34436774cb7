import assert from "node:assert/strict";
import type pg from "pg";
import { sha256Hex } from "../../lib/zone/checksum.ts";
import { ENGINE_SCHEMA } from "../../load/schema/engine_schema.ts";
import { migrate } from "../../load/tables/migrate.ts";
import { readCatalogue } from "../harness/readers/catalogue.ts";
import { makeWarehouse } from "../harness/make_warehouse.ts";
import { PROJECT_SQL } from "../harness/platform.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";
import { RETIRED_MIGRATIONS } from "../harness/companies/retired_migrations.ts";

/** What commit 76ac4e6 wrote down of its migrations, as `trimmed` has them. */
const APPLIED: Readonly<Record<string, string>> = {
  "0001_pipeline":
    "2cf991fe75ca9c90b9841a805a240a07f3f3813af02603f0bd20bbe3de061444",
  "0002_stars":
    "67b5132f2a35530dbc351e96dfc99318633aef35eb71a79176f3d91832a587fd",
  "0003_views":
    "2bbf187e676c68668d663b7848817c6516df6cd692758c6d63bc969835753b0a",
  "0004_analyst":
    "4a7814c33b530c6ef9edb8fed3d3061a55427eba53183e940fe9da331a8a266f",
  "0005_verification":
    "b25bb0cd30c999d34994d079097d7d8db4cd31951a2d4294b331255db86da845",
  "0006_verification_of_history":
    "75542d7d4839d996327b23cb611406a045607de9c4e01f93f7c0a75de6d7644e",
  "0007_batch_files":
    "dee9d5d690ded8384fdeb32fad2a1b18ac2fc182855772ad83f73d459d016c1e",
  "0008_stage_work_and_checks":
    "3de9168181f5f38e6c2d909ed8784c35efbe498a1a92efa19427487ed635105f",
  "0009_history_indexes":
    "7403e37c5c5a787a5a774d4a20b5c3530148ba446b9a28f630782ac9783577cb",
  "0010_make_views":
    "b6d1f8fa3058949daf352848e17cd2ea77d7c262b33a3405267f7ff1bd79d2fd",
  "0011_failure":
    "fe0e3451133b9d35b2213b15aaf06e64531e12a0ff1db087b6462bd89908bda8",
  "0012_finding_identity":
    "9f7a43691c3544b35819abd55a9fdc842e41fd8bbc085f200c39f3cdb1076be7",
  "0013_indexes_of_a_year":
    "6316ff92e862f9c29820200ee3b3cd6612f5f64401cea5081c27f5345e0b84e8",
  "0014_make_functions_again":
    "0491cc7f0c6204d793e600885e568a7be04e69665eac4c1be777efbae3a28675",
};

Deno.test("a warehouse of the version before is upgraded to the schema of a new one", async () => {
  await using upgraded = await openTestDatabase();
  await using made = await openTestDatabase();
  // As it applied them: all in one folder, by their names.
  const before = [...ENGINE_SCHEMA, ...RETIRED_MIGRATIONS]
    .filter(({ name }) => name in APPLIED)
    .toSorted((one, other) => one.name < other.name ? -1 : 1);
  assert.deepEqual(
    Object.fromEntries(
      before.map(({ name, text, recordedAs }) => [
        name,
        recordedAs ?? sha256Hex(text),
      ]),
    ),
    APPLIED,
  );
  await migrate(upgraded.client, before);

  await makeWarehouse(upgraded.client, PROJECT_SQL);

  await makeWarehouse(made.client, PROJECT_SQL);
  assert.deepEqual(
    await readCatalogue(upgraded.client),
    await readCatalogue(made.client),
  );
});

Deno.test("queries as of a batch or a time may have parallel workers, also after an upgrade", async () => {
  await using upgraded = await openTestDatabase();
  await using made = await openTestDatabase();
  const { client } = upgraded;
  await migrate(
    client,
    ENGINE_SCHEMA.filter(({ name }) => name < "0017"),
  );
  // A function of the same name that somebody else wrote.
  await client.query(`create table own (id integer);
    create view dim_own_history as select * from own;
    create function dim_own_as_of_batch(bigint) returns setof dim_own_history
    language sql as 'select * from dim_own_history'`);
  await client.query(`create table fact_old (id integer, valid_from timestamptz,
    valid_to timestamptz, from_batch bigint, to_batch bigint)`);
  await client.query("call pipeline.make_views('fact_old')");
  await client.query(`create schema "my wh"; set search_path to "my wh", public;
    create table "my wh".fact_far (like fact_old);
    call pipeline.make_views('fact_far'); reset search_path`);

  await makeWarehouse(client, PROJECT_SQL);
  await client.query("call pipeline.make_views('fact_sales_order')");

  await makeWarehouse(made.client, PROJECT_SQL);
  assert.deepEqual(await unsafeFunctions(client), ["dim_own_as_of_batch"]);
  assert.deepEqual(await unsafeFunctions(made.client), []);
});

Deno.test("a warehouse whose views are not made by the procedure is upgraded", async () => {
  await using upgraded = await openTestDatabase();
  const { client } = upgraded;
  await migrate(
    client,
    ENGINE_SCHEMA.filter(({ name }) => name < "0017"),
  );
  await client.query("drop procedure pipeline.make_views(name)");

  await migrate(client, ENGINE_SCHEMA);
});

/** The functions as of a batch or a time that keep a query in one process. */
async function unsafeFunctions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query(
    `select proname as name from pg_proc
    where proname ~ '_as_of_' and proparallel <> 's' order by 1`,
  );
  return rows.map(({ name }) => name);
}
