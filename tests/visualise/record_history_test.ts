import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { assertAccessibleEverywhere } from "../harness/browser/accessible.ts";
import {
  batchShown,
  choose,
  loaded,
  open,
  Served,
  testPage,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

testPage("what a record refers to has the name of its time", async () => {
  await using platform = await loaded();
  const rename = (id: number, name: string) =>
    `update counterparty set counterparty_legal_name = '${name}'
    where counterparty_id = ${id}`;
  await execute(
    platform.source.client,
    "update sales_order set counterparty_id = 2 where sales_order_id = 1",
    rename(2, "Second"),
  );
  await platform.run();
  await execute(platform.source.client, rename(1, "One"), rename(2, "Two"));
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(
    `${await served.address}?view=changes&at=2`,
  );
  await page.waitForSelector("#changes-list table");
  const then = await page.locator("#changes-list").innerText();
  await page.goto(`${await served.address}?view=changes&since=1`);
  await page.waitForSelector("#changes-list table");
  const since = await page.locator("#changes-list").innerText();
  await page.goto(`${await served.address}?view=record&record=sales-order/1`);
  await page.waitForSelector("#history li");
  const events = await page.locator("#history li").allInnerTexts();
  const now = await page.locator("#history .now").innerText();

  assert.match(
    then,
    /order 1\s+updated\s+counterparty\s+Company 1 1\s+Second 2/,
  );
  assert.match(since, /order 1\s+updated\s+counterparty\s+Company 1 1\s+Two 2/);
  assert.match(events[0] ?? "", /counterparty\s+Company 1 1\n/);
  assert.match(now, /^Now\n[^]*counterparty\s+Two 2\n/);
  assert.match(events[0] ?? "", /sales staff\s+First Last 1 1\n/);
  assert.match(events[1] ?? "", /counterparty\s+Company 1 1 → Second 2$/);
  assert.deepEqual(errors, []);
});

testPage(
  "a fact's history is a line through time, and leads to any moment of it",
  async () => {
    await using platform = await loaded();
    const { client } = platform.source;
    const [payment] = await query(
      client,
      "select to_jsonb(payment)::text as row from payment where payment_id = 5",
    );
    for (
      const change of [
        "update payment set payment_amount = 777 where payment_id = 5",
        "delete from payment where payment_id = 5",
        `insert into payment select (jsonb_populate_record(null::payment, '${payment?.row}')).*`,
      ]
    ) {
      await execute(client, change);
      await platform.run();
    }
    await using served = new Served(platform);
    const { page, errors } = await open(`${await served.address}?view=changes`);
    await page.locator("#changes-list").getByRole("button", {
      name: "History of payment 5",
    }).click();
    await page.waitForSelector("#history li");
    const events = await page.locator("#history li").allInnerTexts();
    const now = await page.locator("#history .now").innerText();
    await page.locator("#history li").nth(1)
      .getByRole("button", { name: "See everything at this moment" }).click();
    await batchShown(page, 2);
    await page.waitForSelector("#overview:not([hidden])");

    assert.match(events[0] ?? "", /^added in batch 1, /);
    assert.match(
      events[1] ?? "",
      /^updated in batch 2, [^]*payment amount\s+[\d.]+ → 777/,
    );
    assert.match(events[2] ?? "", /^deleted in batch 3, [^\n]*\n?[^\n]*$/);
    assert.match(events[3] ?? "", /^added in batch 4, [^]*payment amount/);
    const amount = /payment amount\s+(\S+)\n/.exec(events[3] ?? "")?.[1];
    assert.match(now, new RegExp(`^Now\n[^]*payment amount\\s+${amount}\n`));
    assert.equal(events.length, 4);
    assert.deepEqual(errors, []);
  },
);

testPage("what changed is shown over several batches, too", async () => {
  await using platform = await loaded();
  const { client } = platform.source;
  for (const units of [700, 800]) {
    await execute(
      client,
      `update sales_order set units_sold = ${units} where sales_order_id = 1`,
      insertOrder(units),
    );
    await platform.run();
  }
  await execute(client, "delete from sales_order where sales_order_id = 700");
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(`${await served.address}?view=changes`);
  await batchShown(page, 4);
  const last = await page.locator("#changes-list").innerText();
  await choose(page, "#since", "1");
  await page.locator("#changes-list").getByText("1,000", { exact: true })
    .waitFor();
  const since = await page.locator("#changes-list").innerText();
  await page.goto(`${await served.address}?view=changes&currency=USD`);
  await page.waitForSelector("#changes-list table");
  const inDollars = await page.locator("#changes-list").innerText();

  assert.match(last, /^1 record: 1 deleted; Sales −£1\n/);
  // A new order of 1, and 200 fewer units of another at 2.43.
  assert.match(since, /^2 records: 1 added, 1 updated; Sales −£485\n/);
  assert.match(inDollars, /^1 record: 1 deleted\n/);
  assert.match(last, /sales order 700\s+deleted/);
  assert.doesNotMatch(last, /sales order 1\s/);
  // From one state to the other: what came and went in between is neither.
  assert.match(since, /sales order 1\s+updated\s+units sold\s+1,000\s+800/);
  assert.match(since, /sales order 800\s+added/);
  assert.doesNotMatch(since, /sales order 700\s/);
  assert.deepEqual(errors, []);
});

testPage("a record is shown as it was at the chosen moment", async () => {
  await using platform = await loaded();
  const { client } = platform.source;
  await execute(
    client,
    "update sales_order set units_sold = 700 where sales_order_id = 1",
    insertOrder(50),
  );
  await platform.run();
  await execute(
    client,
    "update counterparty set counterparty_legal_name = 'New' where counterparty_id = 1",
    "delete from sales_order where sales_order_id = 50",
  );
  await platform.run();
  await using served = new Served(platform);
  const address = await served.address;
  const { page, errors } = await open(
    `${address}?view=record&record=sales-order/1&at=1`,
  );
  const states = async () => {
    await page.waitForSelector("#main[aria-busy=false]");
    await page.waitForSelector("#history li");
    return await page.locator("#history section").allInnerTexts();
  };
  const first = await states();
  await assertAccessibleEverywhere(page, "a record of the past");
  await page.keyboard.press("]");
  await batchShown(page, 2);
  const second = await states();
  const pill = await page.locator("#status-text").innerText();
  await page.locator("#now").click();
  await batchShown(page, 3);
  const now = await states();
  const of50 = async (at: number) => {
    await page.goto(`${address}?view=record&record=sales-order/50&at=${at}`);
    return await states();
  };
  const before = await of50(1);
  const during = await of50(2);
  await page.goto(`${address}?view=record&record=sales-order/2&at=1`);
  await page.waitForSelector("#history .then");
  const unknown = await fetch(`${address}api/history/sales-order/1?at=4`);
  await unknown.body?.cancel();

  assert.equal(first.length, 2);
  assert.match(first[0] ?? "", /^Then, batch 1\n[^]*\s1,000\n/);
  assert.match(first[1] ?? "", /^Now\n[^]*New 1\n[^]*\s700\n/);
  // What it refers to has the name of then, too.
  assert.match(second[0] ?? "", /^Then, batch 2\n[^]*Company 1 1\n[^]*\s700\n/);
  assert.equal(pill, "Past");
  assert.deepEqual(now, first.slice(1));
  assert.match(before[0] ?? "", /^Then, batch 1\s+It was not there yet\.$/);
  assert.match(before[1] ?? "", /^When it was deleted\n/);
  assert.match(during[0] ?? "", /^Then, batch 2\n[^]*Company 1 1\n/);
  assert.equal(unknown.status, 400);
  assert.deepEqual(errors, []);
});
