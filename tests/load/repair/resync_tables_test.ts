import assert from "node:assert/strict";
import { query } from "../../../lib/postgres/postgres.ts";
import { resyncTables } from "../../../load/repair/resync_tables.ts";
import { runSmallHistory } from "../../harness/damage.ts";
import { execute, openPlatform, ZONE_KINDS } from "../../harness/platform.ts";
import { assertFreshlyLoaded, tableTexts } from "../../harness/rebuild.ts";
import { insertOrder } from "../../harness/companies/small_source.ts";

for (const zones of ZONE_KINDS) {
  Deno.test(`resyncTables() loads pending batches and repairs the models that read a table, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    await runSmallHistory(platform);
    const { client } = platform.warehouse;
    await execute(
      client,
      "update fact_payment set payment_amount = 0",
      "delete from quarantine",
      "update dim_staff set location = ''",
      "update dim_design set file_name = ''",
    );
    await execute(platform.source.client, insertOrder(30));
    await platform.extract();
    await platform.transform();

    const { batch, repaired } = await resyncTables(platform.context, {
      tables: ["payment", "department"],
    });

    assert.equal(batch, 5);
    assert.deepEqual(Object.keys(repaired), [
      "dim_date",
      "dim_staff",
      "fact_payment",
      "quarantine",
    ]);
    const [orders] = await query(
      client,
      "select count(*) as orders from fact_sales_order_current",
    );
    assert.equal(orders?.orders, "5");
    // No other model was touched.
    await assert.rejects(assertFreshlyLoaded(platform), /the table dim_design/);
    await resyncTables(platform.context, { tables: ["design"] });
    await assertFreshlyLoaded(platform);
  });
}

Deno.test("resyncTables() refuses an empty zone, and a warehouse of another lake", async () => {
  await using platform = await openPlatform();
  await assert.rejects(
    resyncTables(platform.context, { tables: ["payment"] }),
    { name: "StageError", message: /^Cannot resync .* holds no batch$/ },
  );
  await runSmallHistory(platform);
  const before = await tableTexts(platform.warehouse);
  await execute(
    platform.warehouse.client,
    "update pipeline.batch set lake_id = 'other'",
  );

  await assert.rejects(
    resyncTables(platform.context, { tables: ["payment"] }),
    {
      message:
        /^Cannot continue the warehouse after batch 4: .* it belongs to another lake$/,
    },
  );

  assert.deepEqual(await tableTexts(platform.warehouse), before);
});

Deno.test("resyncTables() adds the placeholders that a fact needs", async () => {
  await using platform = await openPlatform();
  await runSmallHistory(platform);
  await execute(
    platform.warehouse.client,
    "update fact_sales_order set design_id = 1",
    "delete from dim_design where is_placeholder",
  );

  await resyncTables(platform.context, { tables: ["sales_order"] });

  await assertFreshlyLoaded(platform);
});
