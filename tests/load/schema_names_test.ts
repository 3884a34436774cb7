import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { ENGINE_SCHEMA } from "../../load/schema/engine_schema.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";
import { projectOf } from "../harness/companies/small_project.ts";

const SOURCE = "create table item (id integer primary key, other integer);";

for (const schema of ["my mart", "a.b", "Mart", 'a "quoted" one']) {
  Deno.test(`the warehouse works in the schema ${schema}`, async () => {
    const sql = await projectOf({
      "source.sql": SOURCE,
      "models/dim_item.sql": "-- Key: id.\n\nselect id from changed.item",
      "models/fact_pair.sql":
        "-- Key: id.\n-- References: other -> dim_item.\n\nselect * from changed.item",
    });
    await using platform = await openPlatform({ sql, sourceSql: SOURCE });
    const { source, warehouse: { client, settings }, context } = platform;
    const name = quoteName(schema);
    await execute(
      client,
      `create schema ${name}`,
      `alter database ${
        quoteName(settings.database)
      } set search_path = ${name}`,
    );

    await execute(source.client, "insert into item values (1, 2), (2, 3)");
    await platform.run();
    await execute(source.client, "update item set other = 1 where id = 2");
    await platform.run();

    const rows = await query(
      client,
      `select id::text, other::text, from_batch::text
      from ${name}.fact_pair_history order by from_batch, id`,
    );
    assert.deepEqual(rows.map((row) => Object.values(row)), [
      ["1", "2", "1"],
      ["2", "3", "1"],
      ["2", "1", "2"],
    ]);
    assert.deepEqual(differences(await verify(context)), []);
    const { repaired } = await rebuildWarehouse(context);
    assert.deepEqual([...new Set(Object.values(repaired))], [0]);
  });
}

Deno.test("a migration whose text had to change is recorded as before", async () => {
  const sql = await projectOf({
    "source.sql": SOURCE,
    "models/dim_item.sql": "-- Key: id.\n\nselect id from changed.item",
  });
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  await platform.run();

  const rows = await query(
    platform.warehouse.client,
    "select name, sha256 from pipeline.migration",
  );

  const changed = ENGINE_SCHEMA.filter((file) => file.recordedAs !== undefined);
  assert.equal(changed.length, 3);
  for (const { name, recordedAs } of changed) {
    const row = rows.find((one) => one.name === name);
    assert.equal(row?.sha256, recordedAs);
  }
});
