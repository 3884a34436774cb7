import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import {
  batchShown,
  closeBrowser,
  loaded,
  open,
  ordersShown,
  Served,
  testPage,
} from "../harness/dashboard.ts";
import { execute, PROJECT_SQL } from "../harness/platform.ts";
import { insertOrder } from "../harness/small_source.ts";

Deno.test.afterAll(closeBrowser);

testPage("a page knows no age by a snapshot of the future", async () => {
  await using platform = await loaded();
  await execute(
    platform.warehouse.client,
    "update pipeline.batch set snapshot_time = now() + interval '48 hours'",
  );
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);

  await page.getByText("Age unknown").waitFor();
  await page.locator("[data-view=pipeline]").click();
  await page.getByText(
    "is unknown: the newest snapshot's time is in the future",
  )
    .waitFor();

  assert.equal(
    await page.locator("#status").getAttribute("data-state"),
    "stale",
  );
  assert.deepEqual(errors, []);
  await page.close();
});

testPage(
  "the pipeline's view shows its stages, checks and the newest verification",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      insertOrder(50).replace("1.00, 1,", "1.00, 77,"),
    );
    await platform.run();
    await execute(
      platform.warehouse.client,
      `insert into pipeline.verification
      (batch, snapshot_time, model, place, rows, differences, first_keys)
    values (2, now(), 'dim_staff', 'lake', 4, 3, '2: missing'),
      (2, now(), 'dim_design', 'lake', null, 0, 'its file is gone')`,
    );
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    const none = await page.locator("#batches").innerText();
    await page.locator("[data-view=pipeline]").click();
    await page.waitForSelector("#batches table");
    const batches = await page.locator("#batches tbody tr").count();
    const stages = await page.locator("#stages tbody tr").allInnerTexts();
    const checks = await page.locator("#checks tbody tr").allInnerTexts();
    const verification = await page.locator("#verification tbody tr")
      .allInnerTexts();
    const ran = await query(
      platform.warehouse.client,
      "select sum(rows) as rows from pipeline.batch_file where batch = 2",
    );

    assert.equal(none, "");
    assert.equal(batches, 2);
    assert.match(
      stages[0] ?? "",
      /^extract\s+2\s.*\s[\d.]+ s\s+[\d.]+ s\s+1\s+\d+$/,
    );
    assert.match(
      stages[1] ?? "",
      /^transform\s+2\s.*\s[\d.]+ s\s+[\d.]+ s\s+\d+\s+[\d,]+$/,
    );
    assert.match(
      stages[2] ?? "",
      new RegExp(
        `^load\\s+2\\s.* s\\s+[\\d.]+ s\\s+${ran[0]?.rows}\\s+[\\d,]+$`,
      ),
    );
    assert.match(
      checks[0] ?? "",
      /^fact_sales_order__references_are_known\s+\S.*\s+warning\s+2\s.*\s1\s+1$/,
    );
    // Those that found nothing are told as well.
    const facts = PROJECT_SQL.models.filter(({ kind }) => kind === "fact");
    assert.equal(checks.length, PROJECT_SQL.checks.length + 3 * facts.length);
    assert.match(checks.at(-1) ?? "", /\s0\s+0$/);
    assert.match(
      verification[0] ?? "",
      /^2\s.*\slake\s+dim_design\s+0\s+its file is gone$/,
    );
    assert.match(
      verification[1] ?? "",
      /^2\s.*\slake\s+dim_staff\s+4\s+3\s+2: missing$/,
    );
    assert.match(
      await page.locator("#behind").innerText(),
      /^[\d.]+ s\s+behind the source, within the target of 30 min$/,
    );
    assert.match(
      await page.locator("#checks").innerText(),
      /^✗ 1 of \d+ found something/,
    );
    // The pill does not call live what a check doubts.
    assert.equal(
      await page.locator("#status-text").innerText(),
      "1 check fails",
    );
    assert.equal(
      await page.locator("#status").getAttribute("data-state"),
      "failing",
    );
    assert.equal(await page.locator("#machine").isVisible(), false);
    assert.equal(await page.locator("#problem").isVisible(), false);
    assert.deepEqual(errors, []);
  },
);

testPage("a batch's page tells what it did to each model", async () => {
  await using platform = await loaded();
  await execute(
    platform.source.client,
    "update sales_order set units_sold = 7 where sales_order_id = 1",
    insertOrder(50).replace("1.00, 1,", "1.00, 77,"),
  );
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  // Of a currency that the source lacks, an order counts all the same.
  await ordersShown(page, 3);
  await page.locator("[data-currency=unknown]").click();
  await ordersShown(page, 1);
  await page.locator("[data-view=pipeline]").click();
  await page.waitForSelector("#batches table");
  await page.locator("#batches tbody tr").first()
    .getByRole("link").click();
  await page.waitForSelector("#batch-details table");
  const details = await page.locator("#batch-view").innerText();
  // It has an address of its own.
  await page.reload();
  await page.waitForSelector("#batch-details table");

  assert.match(details, /^Batch 2\n/);
  assert.match(details, /run id\s+\d{8}T\d{6}Z-/);
  assert.match(details, /fact_sales_order\s+sales_order\s+2\s+1\s/);
  assert.match(details, /references_are_known\s+warning\s+50\s/);
  assert.match(
    details,
    /fact_sales_order\s+fact_sales_order\/batch=000000002\/\S+\.parquet\s+2\s+[\d,]+\s+[0-9a-f]{64}/,
  );
  assert.match(details, /transformed at\s+\d/);
  assert.match(page.url(), /\?currency=unknown&view=batch&batch=2$/);
  assert.match(details, /extracted rows\s+2\s/);
  assert.match(details, /Batch 2\n+\d+ rows, of which 0 deletes; /);
  assert.equal(await page.title(), "Batch 2 · Totesys");
  assert.deepEqual(errors, []);
});
