import assert from "node:assert/strict";
import { fillSource } from "../../demo/fill.ts";
import { runTraffic } from "../../demo/traffic.ts";
import { query } from "../../lib/postgres/postgres.ts";
import {
  History,
  sourceState,
  warehouseState,
} from "../harness/readers/oracle.ts";
import { openPlatform } from "../harness/platform.ts";

const BATCHES = 8;

Deno.test("the pipeline follows a source under constant writes", async () => {
  await using platform = await openPlatform({ sourceSql: "" });
  await fillSource(platform.source.client, { seed: 1, salesOrders: 300 });
  const ending = new AbortController();
  let events = 0;
  const traffic = runTraffic({
    url: platform.source.url,
    seed: 1,
    signal: ending.signal,
    transactionsPerSecond: 200,
    longSeconds: { least: 1, most: 2 },
    onEvent: () => events++,
  });
  try {
    for (let batch = 1; batch <= BATCHES; batch++) await platform.run();
  } finally {
    ending.abort();
    await traffic;
  }
  await platform.run();

  const history = new History(platform);
  const { dim_date: dates = [] } = await warehouseState(platform);
  // The calendar holds what batches before named, which is unknown here.
  await history.compareNow({
    ...history.expect(await sourceState(platform)),
    dim_date: dates,
  });
  assert.ok(events > 100, `${events} events`);
  await history.checkIntervals();
  await history.checkDates();
  // All tables are of one moment: what refers within the source does so here.
  for (let batch = 1; batch <= BATCHES; batch++) {
    const orphans = await query(
      platform.warehouse.client,
      `select payment_id, transaction_id, transactions.transaction_id,
        sales_order_id, purchase_order_id
      from fact_payment_as_of_batch($1) as payments
      left join dim_transaction_as_of_batch($1) as transactions
        using (transaction_id)
      left join fact_sales_order_as_of_batch($1) as sales
        using (sales_order_id)
      left join fact_purchase_order_as_of_batch($1) as purchases
        using (purchase_order_id)
      where transactions.transaction_type is null
        or (sales.units_sold is null and purchases.item_quantity is null)`,
      [batch],
    );
    assert.deepEqual(orphans, [], `as of batch ${batch}`);
  }
});
