import assert from "node:assert/strict";
import {
  loaded,
  open,
  Served,
  tableRows,
  testPage,
  toggleTable,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";

testPage(
  "figures, days and times are written as the reader's language does",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      "update payment set payment_date = '2023-01-15' where payment_id = 5",
    );
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address, "de-DE");
    await toggleTable(page, "month");
    const sales = await tableRows(page, "month");
    const total = await page.locator("[data-card=sales] .card-value")
      .getAttribute("title");
    await page.locator("[data-view=changes]").click();
    await page.waitForSelector("#changes-list table");

    assert.equal(total, "14.580\u00a0£");
    assert.deepEqual(sales, [["Nov. 2022", "GBP", "3", "6.000", "14.580,00"]]);
    assert.match(
      await page.locator("#changes-list").innerText(),
      /payment date\s+07\.11\.2022\s+15\.01\.2023/,
    );
    assert.deepEqual(errors, []);
  },
);

testPage("an hour is written alike wherever it stands", async () => {
  await using platform = await loaded();
  await platform.run();
  await execute(
    platform.warehouse.client,
    `update pipeline.batch set snapshot_time =
      timestamptz '2023-01-15 04:05:06Z' + (batch - 1) * interval '1 minute'`,
  );
  await using served = new Served(platform);
  const { page } = await open(
    `${await served.address}?view=changes`,
    "en-US",
  );
  await page.waitForSelector("#changes-times:not(:empty)");

  assert.equal(
    (await page.locator("#changes-times").innerText())
      .replaceAll("\u202f", " "),
    "Between Jan 15, 2023, 4:05:06 AM and Jan 15, 2023, 4:06:06 AM UTC",
  );
});
