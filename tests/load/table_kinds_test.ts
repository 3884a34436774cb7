import assert from "node:assert/strict";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resync } from "../../operate/resync.ts";
import { queryRow } from "../../lib/postgres/postgres.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

for (const parent of ["fact_payment", "dim_staff", "dim_staff_closed"]) {
  Deno.test(`load and both rebuilds refuse a table that inherits from ${parent}, and don't touch its rows`, async () => {
    await using platform = await openPlatform();
    const { source, warehouse: { client } } = platform;
    await fillSmall(source.client);
    await platform.run();
    const model = parent.replace("_closed", "");
    await execute(
      client,
      `create table archive () inherits (${parent})`,
      ...parent === model
        ? [`insert into archive select * from only ${parent} limit 1`]
        : [],
    );
    const rows = () =>
      queryRow(client, "select json_agg(archive)::text as all from archive");
    const before = await rows();
    await execute(
      source.client,
      "update payment set paid = not paid",
      "update staff set first_name = 'Other'",
    );
    await platform.extract();
    await platform.transform();
    const refused = {
      name: "StageError",
      message:
        `Cannot load the model "${model}": rows of archive count as rows of its table, from which it inherits`,
      hint: /^Detach it: alter table \.\.\. no inherit/,
      retryable: false,
    };

    await assert.rejects(platform.load(), refused);
    await assert.rejects(rebuildWarehouse(platform.context), refused);
    await assert.rejects(
      resync(platform.context, { tables: ["staff", "payment"] }),
      refused,
    );

    assert.deepEqual(await rows(), before);
    await client.query(`alter table archive no inherit ${parent}`);
    await platform.run();
    await assertMirrored(platform);
    assert.deepEqual(await rows(), before);
  });
}

Deno.test("load and the rebuild refuse an unlogged table", async () => {
  await using platform = await openPlatform();
  const { source, warehouse: { client } } = platform;
  await fillSmall(source.client);
  await platform.run();
  for (
    const [table, model] of [
      ["fact_payment", "fact_payment"],
      ["dim_staff_closed", "dim_staff"],
    ]
  ) {
    await client.query(`alter table ${table} set unlogged`);
    await execute(
      source.client,
      "update payment set paid = not paid",
      "update staff set first_name = first_name || 'a'",
    );
    await platform.extract();
    await platform.transform();
    const refused = {
      name: "StageError",
      message:
        `Cannot load the model "${model}": ${table} is unlogged, so a crash of the server would empty it silently`,
      hint: /^alter table \w+ set logged; then/,
      retryable: false,
    };

    await assert.rejects(platform.load(), refused);
    await assert.rejects(rebuildWarehouse(platform.context), refused);

    await client.query(`alter table ${table} set logged`);
    await platform.load();
    await assertMirrored(platform);
  }
});
