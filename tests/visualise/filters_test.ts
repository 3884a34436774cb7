import assert from "node:assert/strict";
import {
  batchShown,
  card,
  choose,
  loaded,
  open,
  ordersShown,
  propertyOf,
  Served,
  tableRows,
  testPage,
  toggleTable,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

testPage(
  "filters hold for every chart, and what is shown can be saved",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      "update sales_order set currency_id = 2 where sales_order_id = 1",
      "update sales_order set counterparty_id = 2 where sales_order_id = 3",
      "update payment set counterparty_id = 2 where payment_id = 5",
      "update counterparty set counterparty_legal_name = '=cmd|'' /C calc''!A0' where counterparty_id = 1",
    );
    await platform.run();
    await using served = new Served(platform);
    const { page } = await open(await served.address);
    await batchShown(page, 2);
    const codes = await page.locator("#currency button").allInnerTexts();
    await ordersShown(page, 2);
    await page.locator("[data-currency=USD]").click();
    await ordersShown(page, 1);
    await toggleTable(page, "month");
    const rows = await page.locator("[data-chart=month] tbody tr")
      .allInnerTexts();
    await page.locator("[data-currency=GBP]").click();
    await toggleTable(page, "counterparty");
    const parties = async (id: string) => {
      const cells = await page.locator(
        `[data-chart=${id}] tbody td:first-child`,
      )
        .allTextContents();
      return [...new Set(cells)];
    };
    // A part of the name is enough, in any case.
    await choose(page, "#name", "company 2");
    await ordersShown(page, 1);
    const chosen = await parties("counterparty");
    await page.locator("[data-card=owed]").click();
    await toggleTable(page, "overdue");
    const ofPayments = await parties("overdue");
    await page.locator("[data-card=sales]").click();
    await page.locator("[data-chip=counterparty]").click();
    await ordersShown(page, 2);
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      page.locator("[data-chart=counterparty]")
        .getByRole("button", { name: "CSV" }).click(),
    ]);
    const csv = await Deno.readTextFile(await saved.path());

    assert.deepEqual(chosen, ["Company 2"]);
    assert.deepEqual(ofPayments, ["Company 2"]);
    assert.deepEqual(codes, ["GBP", "USD"]);
    assert.ok(rows.length > 0 && rows.every((row) => row.includes("USD")));
    assert.match(
      saved.suggestedFilename(),
      /^sales-by-counterparty-batch-2\.csv$/,
    );
    assert.match(csv, /^"counterparty","currency"/);
    assert.match(csv, /"'=cmd/);
  },
);

testPage("days hold for lists as well, and must make sense", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  const chart = page.locator("[data-chart=design]");
  await toggleTable(page, "design");
  const orders = async () =>
    (await chart.locator("tbody tr td:nth-child(3)").allInnerTexts())
      .reduce((sum, text) => sum + Number(text), 0);
  const all = await orders();
  await choose(page, "#from", "2023-01-01");
  await ordersShown(page, 1);
  const some = await orders();
  const message = (field: string) =>
    propertyOf(page, field, "validationMessage");
  await choose(page, "#to", "2022-01-01");
  const reversed = await message("#to");
  await choose(page, "#to", "");
  await choose(page, "#name", "nobody");
  const unknown = await message("#name");

  assert.equal(all, 4);
  assert.equal(some, 1);
  assert.equal(reversed, "To is before From.");
  assert.equal(unknown, "No counterparty is called “nobody”.");
  assert.match(page.url(), /\?from=2023-01-01$/);
  assert.deepEqual(errors, []);
});

testPage(
  "a name keeps the currency, and a state without figures says so",
  async () => {
    await using platform = await loaded();
    const of = "update sales_order set counterparty_id = 2";
    await execute(
      platform.source.client,
      ...[50, 51, 52, 53].map((id) => insertOrder(id)),
      `${of} where sales_order_id >= 50`,
      "update sales_order set currency_id = 2 where sales_order_id > 50",
      "update payment set paid = true",
    );
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    // Four in pounds, and three in dollars: all of these are of company 2.
    await ordersShown(page, 4);
    await page.locator("[data-chart=counterparty] .row", {
      hasText: "Company 2",
    }).click();
    await ordersShown(page, 1);
    const value = await card(page, "sales");
    await page.goto(`${await served.address}?measure=owed`);
    await page.waitForSelector("[data-chart=paid] .row");
    const overdue = await page.locator("[data-chart=overdue]").innerText();

    assert.equal(value, "£1");
    assert.match(overdue, /Owed to us: nothing overdue\.$/);
    assert.deepEqual(errors, []);
  },
);

testPage("a click in any list filters everything that it can", async () => {
  await using platform = await loaded();
  await execute(
    platform.source.client,
    "update design set design_name = 'Steel' where design_id = 2",
    "update sales_order set staff_id = 2 where sales_order_id = 2",
    "update address set country = 'Wales' where address_id = 2",
    "update sales_order set agreed_delivery_location_id = 2 where sales_order_id = 2",
    "update purchase_order set currency_id = 1",
  );
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await ordersShown(page, 3);
  for (
    const [board, name] of [
      ["country", "Wales"],
      ["design", "Steel"],
      ["department", "Department 3"],
      ["staff", "First Last 2"],
    ] as const
  ) {
    await page.locator(`[data-chart=${board}] .row`, { hasText: name }).click();
    await ordersShown(page, 1);
    const value = await card(page, "sales");
    const chips = await page.locator("#chips").innerText();
    const purchases = await page.locator("[data-card=purchases]").innerText();
    const owed = await page.locator("[data-card=owed]").innerText();
    await toggleTable(page, "month");
    await page.locator("[data-chart=month]")
      .getByRole("button", { name: "Rows" }).click();
    await page.waitForSelector("#rows[open] table");
    const rows = await page.locator("#rows tbody tr").allInnerTexts();
    await page.goto(await served.address);
    await ordersShown(page, 3);

    assert.equal(value, "£4,860", board);
    assert.match(chips, new RegExp(`^${name} ×`, "m"));
    assert.match(rows.join(), /^2\s/, board);
    // What a fact does not know, it can't be filtered by.
    assert.match(owed, new RegExp(`–\\s+not known by \\w+`));
    assert.equal(/not known by design/.test(purchases), board === "design");
  }
  assert.deepEqual(errors, []);
});

testPage(
  "what is overdue is shown by how long, and filtered by that",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      ...[10, 31, 60, 61, 91].map((days, index) =>
        `update payment set payment_date = to_char(
        (now() at time zone 'utc')::date - ${days}, 'YYYY-MM-DD')
      where payment_id = ${index + 1}`
      ),
    );
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(`${await served.address}?measure=owed`);
    await batchShown(page, 2);
    await toggleTable(page, "ageing");
    const rows = await tableRows(page, "ageing");
    const said = await page.locator("[data-card=owed] .ages").innerText();
    await toggleTable(page, "ageing");
    await page.locator("[data-chart=ageing]").getByRole("button", {
      name: "31 to 60 days",
    }).click();
    await page.locator("[data-chip=ageing]").waitFor();
    await page.waitForSelector("#main[aria-busy=false]");
    const [count] = await page.locator("[data-card=owed] b").allInnerTexts();
    const sales = await page.locator("[data-card=sales]").innerText();
    await page.locator("[data-chart=ageing]").getByRole("button", {
      name: "31 to 60 days",
    }).click();
    await page.waitForSelector("#rows[open] table");
    const listed = await page.locator("#rows tbody tr").count();

    assert.deepEqual(
      rows.map(([age, , state, , count]) => [age, state, count]).toSorted(),
      [
        ["31 to 60 days", "overdue", "2"],
        ["61 to 90 days", "overdue", "1"],
        ["over 90 days", "overdue", "1"],
        ["up to 30 days", "overdue", "1"],
      ],
    );
    assert.match(said, /up to 30 days; \S+ 31 to 60 days; \S+ 61 to 90/);
    assert.equal(count, "2");
    assert.match(sales, /not known by ageing/);
    assert.equal(listed, 2);
    assert.deepEqual(errors, []);
  },
);
