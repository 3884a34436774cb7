import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { openLake } from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

async function quarantined(platform: Platform): Promise<string[]> {
  const rows = await query(
    platform.warehouse.client,
    "select * from quarantine_current order by table_name, row_key",
  );
  return rows.map((row) => `${row.table_name} ${row.row_key}: ${row.reason}`);
}

async function units(platform: Platform, id: number): Promise<string[]> {
  const rows = await query(
    platform.warehouse.client,
    `select units_sold from fact_sales_order_current
    where sales_order_id = ${id}`,
  );
  return rows.map((row) => String(row.units_sold));
}

Deno.test("a row that can't be read is set aside, and the rest goes on", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  await execute(
    client,
    `update sales_order set agreed_delivery_date = '31/12/2022', units_sold = 5
    where sales_order_id = 1`,
    "update payment set payment_date = '2023-02-30' where payment_id = 2",
    "update sales_order set unit_price = 'NaN' where sales_order_id = 3",
    "update purchase_order set last_updated = 'infinity' where purchase_order_id = 1",
    "update design set created_at = '0044-03-15 BC' where design_id = 2",
    insertOrder(9, 9),
  );
  await platform.extract();
  const result = await platform.transform();
  await platform.load();

  assert.equal(result.quarantined, 5);
  // As long as they are there, so is the alarm.
  assert.equal((await platform.transform()).quarantined, 5);
  const [design, payment, purchase = "", ...sales] = await quarantined(
    platform,
  );
  assert.deepEqual([design, payment, ...sales], [
    'design 2: created_at is no timestamp: "0044-03-15 00:00:00 BC"',
    'payment 2: payment_date is no date (YYYY-MM-DD): "2023-02-30"',
    'sales_order 1: agreed_delivery_date is no date (YYYY-MM-DD): "31/12/2022"',
    'sales_order 3: unit_price is no numeric(10,2): "NaN"',
  ]);
  assert.match(
    purchase,
    /^purchase_order 1: last_updated is no timestamp: "infinity"/,
  );
  // The last good version stays, and what is good goes on.
  assert.deepEqual(await units(platform, 1), ["1000"]);
  assert.deepEqual(await units(platform, 9), ["9"]);
  assert.equal(
    platform.logged.filter((line) =>
      line.startsWith("error: 5 rows are in quarantine")
    ).length,
    1,
  );
  {
    await using lake = await openLake(platform);
    const rows = await lake.rows(
      "from totes.quarantine_current order by table_name, row_key",
    );
    assert.equal(rows.length, 5);
    assert.match(rows[0]?.source_row ?? "", /design_id/);
  }

  await execute(
    client,
    "update sales_order set agreed_delivery_date = '2022-12-31' where sales_order_id = 1",
    "delete from sales_order where sales_order_id = 3",
    "update design set created_at = '2022-01-01' where design_id = 2",
    "update payment set payment_date = '' where payment_id = 2",
  );
  await platform.run();

  assert.equal((await quarantined(platform)).length, 2);
  assert.deepEqual(await units(platform, 1), ["5"]);
  assert.deepEqual(await units(platform, 3), []);
  assert.match(
    (await quarantined(platform))[0] ?? "",
    /payment_date is no date \(YYYY-MM-DD\): ""/,
  );

  // A full read says the same of it once more, which is no news.
  await platform.extract({ fullRead: true });
  await platform.transform();
  await platform.load();
  const versions = await query(
    platform.warehouse.client,
    "select from_batch, to_batch from quarantine where row_key = '2' and table_name = 'payment' order by 1",
  );
  assert.deepEqual(versions, [
    { from_batch: "2", to_batch: "3" },
    { from_batch: "3", to_batch: null },
  ]);
});

Deno.test("transform() stops at too many quarantined rows", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  platform.set({ quarantineRowsMax: 2 });
  await execute(client, "update payment set payment_date = 'soon'");
  await platform.extract();

  await assert.rejects(platform.transform(), (error) => {
    assert(error instanceof StageError);
    assert.equal(error.subject, "payment");
    assert.equal(error.dataCheck, true);
    assert.match(error.message, /5 rows would be in quarantine.*first is 1: /);
    return true;
  });

  // What waits does not repair it, and nothing is committed of it.
  await execute(client, insertOrder(44));
  await platform.extract();
  await assert.rejects(platform.transform(), /5 rows would be in quarantine/);
  assert.deepEqual(await units(platform, 44), []);

  await execute(client, "update payment set payment_date = '2022-01-01'");
  await platform.run();
  assert.deepEqual(await units(platform, 44), ["1"]);
  assert.deepEqual(await quarantined(platform), []);
});
