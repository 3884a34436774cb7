import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import {
  batchShown,
  choose,
  loaded,
  open,
  ordersShown,
  plain,
  propertyOf,
  Served,
  tableRows,
  testPage,
  toggleTable,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

testPage(
  "the slider shows the past exactly, facts and dimensions",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      "update sales_order set units_sold = 777 where sales_order_id = 1",
      "delete from payment where payment_id = 5",
      "update counterparty set counterparty_legal_name = 'Renamed' where counterparty_id = 1",
      insertOrder(50),
    );
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    await batchShown(page, 2);
    const byHand = async (batch: number) => {
      const rows = await query(
        platform.warehouse.client,
        `select counterparty_legal_name, currency_code, count(*),
        sum(units_sold) as units, sum(units_sold * unit_price) as value
      from fact_sales_order_as_of_batch(${batch})
      inner join dim_counterparty_as_of_batch(${batch}) using (counterparty_id)
      inner join dim_currency_as_of_batch(${batch}) using (currency_id)
      group by counterparty_legal_name, currency_code`,
      );
      return rows.map((row) => Object.values(row).map(plain)).sort();
    };
    const shown = async () => {
      const rows = await tableRows(page, "counterparty");
      return rows.map((row) => row.map(plain)).sort();
    };
    await toggleTable(page, "counterparty");
    assert.deepEqual(await shown(), await byHand(2));
    assert.match((await shown()).flat().join(), /Renamed/);
    await choose(page, "#slider", "1");
    await batchShown(page, 1);
    assert.deepEqual(await shown(), await byHand(1));
    assert.match(
      await page.locator("#as-of").innerText(),
      /^as of \d+ \w+ \d{4}, \d\d:\d\d:\d\d \S+$/,
    );
    assert.match(await page.locator("#age").innerText(), /^\d+ sec ago$/);
    assert.equal(
      await page.locator("#status").getAttribute("data-state"),
      "past",
    );
    assert.match(page.url(), /\?at=1$/);
    assert.match(await page.title(), /^Overview, \d+ \w+ \d{4}, .* · Totesys$/);
    // The moment has an address of its own.
    await page.reload();
    await batchShown(page, 1);
    await toggleTable(page, "counterparty");
    assert.deepEqual(await shown(), await byHand(1));
    await page.locator("#now").click();
    await batchShown(page, 2);
    assert.deepEqual(await shown(), await byHand(2));
    await page.locator("[data-view=changes]").click();
    await page.waitForSelector("#changes-list table");
    const changes = await page.locator("#changes-list").innerText();
    await page.locator("[data-kind=payment]").click();
    await page.waitForURL(/&of=payment$/);
    await page.locator("#changes-list").getByText("1 record: 1 deleted")
      .waitFor();
    const payments = await page.locator("#changes-list tbody tr").count();
    await page.locator("#to-record").click();
    await page.locator("#record-key").fill("1");
    await page.locator("#record-form button").click();
    await page.waitForSelector("#history li");

    assert.match(
      changes,
      /sales order 1\s+updated\s+units sold\s+1,000\s+777/,
    );
    assert.match(changes, /^4 records: 1 added, 2 updated, 1 deleted/);
    assert.equal(payments, 1);
    // Each line is about the business.
    assert.doesNotMatch(changes, /last updated/);
    assert.match(changes, /sales order 50\s+added/);
    assert.match(changes, /payment 5\s+deleted/);
    assert.equal(await page.locator("#history li").count(), 2);
    assert.match(page.url(), /\?view=record&record=sales-order%2F1$/);
    await page.goto(`${await served.address}?view=record&record=payment/5`);
    await page.waitForSelector("#history .kind-deleted");
    assert.match(
      await page.locator("#history .now").innerText(),
      /^When it was deleted\n[^]*payment amount\s+500.05\n/,
    );
    assert.deepEqual(errors, []);
  },
);

testPage("a time leads to the newest batch by then", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await execute(
    platform.warehouse.client,
    "update pipeline.batch set snapshot_time = now() - interval '2 days' where batch = 1",
  );
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  const moment = page.locator("#moment");
  const daysAgo = (days: number) =>
    new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 19);
  await moment.fill(daysAgo(1));
  await moment.press("Enter");
  await batchShown(page, 1);
  await ordersShown(page, 3);
  const address = page.url();
  const age = await page.locator("#age").innerText();
  await moment.fill(daysAgo(3));
  await moment.press("Enter");
  await page.locator("#moment:invalid").waitFor();
  const said = await propertyOf(page, "#moment", "validationMessage");

  assert.match(address, /\?at=1$/);
  assert.equal(age, "2 days ago");
  assert.equal(said, "No batch was taken by then.");
  assert.equal(await page.evaluate("document.body.dataset.batch"), "1");
  assert.deepEqual(errors, []);
});

testPage("of two moments that are asked for, the last one shows", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  const late = Promise.withResolvers<void>();
  let answered = 0;
  await page.route("**/api/overview/1?*", async (route) => {
    await late.promise;
    answered += 1;
    // The page has given it up.
    await route.continue().catch(() => {});
  });
  const asked = page.waitForRequest(/api\/overview\/1\?/);
  await choose(page, "#slider", "1");
  const busy = await page.locator("#main").getAttribute("aria-busy");
  await asked;
  await page.locator("#now").click();
  await page.waitForSelector("#main[aria-busy=false]");
  // The late answer has its time to do harm.
  late.resolve();
  await page.waitForTimeout(500);

  assert.equal(busy, "true");
  assert.equal(answered, 1);
  await ordersShown(page, 4);
  assert.equal(await page.locator("#batch").innerText(), "2");
  assert.deepEqual(errors, []);
});
