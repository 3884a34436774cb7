import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import {
  batchShown,
  loaded,
  open,
  Served,
  testPage,
  toggleTable,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

testPage(
  "a figure leads to its rows, and a row to the order's history",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      "update sales_order set units_sold = 777 where sales_order_id = 1",
      insertOrder(50),
    );
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    await batchShown(page, 2);
    const chart = page.locator("[data-chart=month]");
    await toggleTable(page, "month");
    await chart.locator("tbody tr", { hasText: "Nov 2022" })
      .getByRole("button", { name: "Rows" }).first().click();
    await page.waitForSelector("#rows[open] table");
    const title = await page.locator("#rows-title").innerText();
    const rows = await page.locator("#rows tbody tr").allInnerTexts();
    const byHand = await query(
      platform.warehouse.client,
      `select sales_order_id from fact_sales_order_current
    inner join dim_currency_current using (currency_id)
    where to_char(created_date, 'YYYY-MM') = '2022-11'
      and currency_code = '${/(\w+), Nov 2022,/.exec(title)?.[1]}'`,
    );
    await page.locator("#rows tbody tr", { hasText: "777" })
      .getByRole("button", { name: "History" }).click();
    await page.waitForSelector("#history li");

    assert.match(title, /^Sales: GBP, Nov 2022, \d+$/);
    assert.equal(rows.length, byHand.length);
    assert.ok(rows.length > 0);
    assert.equal(await page.locator("#rows[open]").count(), 0);
    assert.equal(await page.locator("#history li").count(), 2);
    assert.deepEqual(errors, []);
  },
);

testPage(
  "a click on a chart shows the rows behind it, and Back leaves them",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    await batchShown(page, 1);
    await page.locator("[data-card=owed]").click();
    await page.waitForSelector("[data-card=owed][aria-pressed=true]");
    const column = page.locator("[data-chart=month] rect").first();
    await column.waitFor();
    const { x, y, width } = await column.boundingBox() ?? assert.fail();
    await page.mouse.move(x + width / 2, y + 2);
    const tip = await page.locator("[data-chart=month] .tip").innerText();
    const cut = await page.evaluate(`{
      const tip = document.querySelector("[data-chart=month] .tip");
      const { left, right } = tip.getBoundingClientRect();
      [tip.scrollWidth > tip.clientWidth, left < 0, right > innerWidth];
    }`);
    await page.mouse.click(x + width / 2, y + 2);
    await page.waitForSelector("#rows[open] table");
    const title = await page.locator("#rows-title").innerText();
    const address = page.url();

    assert.match(tip, /^\w+ \d{4}\s[^]*(paid|due|overdue) £[\d,]+$/);
    assert.deepEqual(cut, [false, false, false]);
    assert.match(
      title,
      /^Payments: sales receipt or purchase refund, GBP, \w+ \d{4}, \d$/,
    );
    await page.goBack();
    await page.waitForSelector("#rows:not([open])", { state: "attached" });
    // The rows have an address of their own.
    await page.goto(address);
    await page.waitForSelector("#rows[open] table");
    assert.equal(await page.locator("#rows-title").innerText(), title);
    await page.keyboard.press("Escape");
    await page.waitForURL((url) => !url.searchParams.has("rows"));
    assert.deepEqual(errors, []);
  },
);

testPage("hostile text stays text, wherever it is shown", async () => {
  await using platform = await loaded();
  const hostile =
    `<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>`;
  await execute(
    platform.source.client,
    `update counterparty set counterparty_legal_name = '${hostile}'`,
    `update purchase_order set item_code = '${hostile}' where purchase_order_id = 1`,
  );
  await platform.run();
  await execute(
    platform.warehouse.client,
    `insert into pipeline.finding (batch, check_name, severity, key, finding)
    values (2, 'a_check', 'warning', '${hostile}', '${hostile}')`,
  );
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  await toggleTable(page, "counterparty");
  const chart = page.locator("[data-chart=counterparty]");
  const texts = [await chart.innerText()];
  await chart.getByRole("button", { name: "Rows" }).first().click();
  await page.waitForSelector("#rows[open] table");
  texts.push(await page.locator("#rows").innerText());
  await page.keyboard.press("Escape");
  const option = await page.locator("#names option").first()
    .getAttribute("value");
  await page.locator("[data-view=changes]").click();
  await page.waitForSelector("#changes-list table");
  texts.push(await page.locator("#changes-list").innerText());
  await page.locator("#changes-list").getByRole("button", {
    name: "History of purchase order 1",
  }).click();
  await page.waitForSelector("#history li");
  texts.push(await page.locator("#history").innerText());
  await page.goto(`${await served.address}?view=batch&batch=2`);
  await page.waitForSelector("#batch-details table");
  texts.push(await page.locator("#batch-details").innerText());
  for (const text of texts) assert.ok(text.includes(hostile), text);
  assert.equal(option, hostile);
  assert.equal(await page.evaluate("window.hurt"), undefined);
  assert.deepEqual(errors, []);
});
