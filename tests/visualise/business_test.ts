import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import {
  batchShown,
  card,
  choose,
  closeBrowser,
  drawnSeries,
  loaded,
  open,
  plain,
  Served,
  tableRows,
  testPage,
  toggleTable,
} from "../harness/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/small_source.ts";

Deno.test.afterAll(closeBrowser);

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
    const all = Number(await card(page, "Sales orders"));
    const code = await page.locator("#currency option").nth(1).innerText();
    await page.locator("#currency").selectOption(code);
    const some = Number(await card(page, "Sales orders"));
    const table = page.locator("[data-chart=sales]");
    await table.getByRole("button", { name: "Table" }).click();
    const rows = await table.locator("tbody tr").allInnerTexts();
    await page.locator("#currency").selectOption("");
    const parties = async (id: string) => {
      const cells = await page.locator(
        `[data-chart=${id}] tbody td:first-child`,
      )
        .allTextContents();
      return [...new Set(cells)];
    };
    const chooseParty = async (name: string, orders: number) => {
      await choose(page, "#counterparty", name);
      await page.locator("[data-card='Sales orders'] dd")
        .getByText(String(orders), { exact: true }).waitFor();
    };
    await chooseParty("Company 2", 1);
    const chosen = await parties("sales-by-counterparty");
    const ofPayments = await parties("payments-overdue");
    await chooseParty("", all);
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      page.locator("[data-chart=sales-by-counterparty]")
        .getByRole("button", { name: "CSV" }).click(),
    ]);
    const csv = await Deno.readTextFile(await saved.path());

    assert.deepEqual(chosen, ["Company 2"]);
    assert.deepEqual(ofPayments, ["Company 2"]);
    assert.ok(some < all, `${some} of ${all}`);
    assert.ok(rows.length > 0 && rows.every((row) => row.includes(code)));
    assert.match(
      saved.suggestedFilename(),
      /^sales-by-counterparty-batch-2\.csv$/,
    );
    assert.match(csv, /^"counterparty","currency"/);
    assert.match(csv, /"'=cmd/);
  },
);

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
    const chart = page.locator("[data-chart=sales]");
    await chart.getByRole("button", { name: "Table" }).click();
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
      and currency_code = '${/Nov 2022, (\w+),/.exec(title)?.[1]}'`,
    );
    await page.locator("#rows tbody tr", { hasText: "777" })
      .getByRole("button", { name: "History" }).click();
    await page.waitForSelector("#history li");

    assert.match(title, /^Sales by month: Nov 2022, \w+, \d+$/);
    assert.equal(rows.length, byHand.length);
    assert.ok(rows.length > 0);
    assert.equal(await page.locator("#rows[open]").count(), 0);
    assert.equal(await page.locator("#history li").count(), 2);
    assert.deepEqual(errors, []);
  },
);

testPage("a click on a chart shows the rows behind it", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 1);
  const canvas = page.locator("[data-chart=payments] .canvas");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  assert(box !== null);
  // The bars stand on the axis, in the middle of each half.
  await page.mouse.click(
    box.x + box.width * 0.3,
    box.y + box.height - 45,
  );
  await page.waitForSelector("#rows[open] table");

  assert.match(
    await page.locator("#rows-title").innerText(),
    /^Payments: paid, due, overdue: PURCHASE_PAYMENT|SALES_RECEIPT/,
  );
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#rows[open]").count(), 0);
  assert.deepEqual(errors, []);
});

testPage("days hold for rankings as well", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  const chart = page.locator("[data-chart=sales-by-design]");
  await chart.getByRole("button", { name: "Table" }).click();
  const orders = async () =>
    (await chart.locator("tbody tr td:nth-child(3)").allInnerTexts())
      .reduce((sum, text) => sum + Number(text), 0);
  const all = await orders();
  await choose(page, "#from", "2023-01-01");
  await page.locator("[data-card='Sales orders'] dd").getByText(/^1$/)
    .waitFor();

  assert.equal(all, 4);
  assert.equal(await orders(), 1);
  assert.deepEqual(errors, []);
});

testPage(
  "every chart shows and draws what SQL gives, for the days that are chosen",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      insertOrder(50),
      "update payment set payment_date = '2023-01-15' where payment_id = 5",
      "update payment set paid = true where payment_id = 4",
      "update payment set payment_date = '2222-01-15' where payment_id = 3",
    );
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    await batchShown(page, 2);
    const ids = await page.evaluate(
      `[...document.querySelectorAll("#charts [data-chart]")]
        .map(({ dataset }) => dataset.chart)`,
    ) as string[];
    for (const id of ids) await toggleTable(page, id);
    for (const [from, where] of [["", "true"], ["2023-01-01", "in_time"]]) {
      await choose(page, "#from", from ?? "");
      await page.locator("[data-card='Sales orders'] dd")
        .getByText(from === "" ? /^4$/ : /^1$/).waitFor();
      for (const id of ids) {
        const sql = CHARTS[id];
        assert(sql !== undefined, `what should ${id} show?`);
        const byHand = (await query(
          platform.warehouse.client,
          sql.text.replace("WHERE", `where ${where}`),
        )).map((row) => Object.values(row).map(plain)).sort();
        const rows = (await tableRows(page, id)).map((row) => row.map(plain));
        const series = await drawnSeries(page, id);
        const sum = (numbers: unknown[]) =>
          numbers.reduce((sum: number, one) => sum + Number(one ?? 0), 0);

        assert.deepEqual(rows.sort(), byHand, `${id} ${from}`);
        assert.equal(
          sum(series.flatMap(({ data }) => data)).toFixed(2),
          sum(byHand.map((row) => row.at(sql.drawn ?? -1))).toFixed(2),
          `${id} ${from}, as drawn`,
        );
      }
    }
    assert.deepEqual(errors, []);
  },
);

/** What charts show, by hand, in the order of the columns; WHERE is replaced. */
const SALES = `select *, units_sold * unit_price as value,
    to_char(created_date, 'Mon YYYY') as month,
    created_date >= '2023-01-01' as in_time
  from fact_sales_order_current inner join dim_currency_current
    using (currency_id)`;
const PURCHASES = `select *, item_quantity * item_unit_price as value,
    to_char(created_date, 'Mon YYYY') as month,
    created_date >= '2023-01-01' as in_time
  from fact_purchase_order_current inner join dim_currency_current
    using (currency_id)`;
const PAYMENTS = `select *, payment_date >= '2023-01-01' as in_time,
    to_char(payment_date, 'Mon YYYY') as month,
    case when paid then 'paid'
      when payment_date < (now() at time zone 'UTC')::date then 'overdue'
      else 'due' end as state
  from fact_payment_current
  inner join dim_currency_current using (currency_id)
  inner join dim_payment_type_current using (payment_type_id)
  inner join dim_counterparty_current using (counterparty_id)`;
const SALES_FIGURES = "count(*), sum(units_sold) as units, sum(value) as total";
const PURCHASE_FIGURES =
  "count(*), sum(item_quantity) as units, sum(value) as total";
const PAYMENT_FIGURES = "count(*), sum(payment_amount)";

/** Totals of a fact by some of its columns. */
function totals(
  from: string,
  { columns, figures, join = "" }: {
    columns: string;
    figures: string;
    join?: string;
  },
): string {
  return `select ${columns}, ${figures} from (${from}) as facts ${join} WHERE
    group by ${columns}`;
}

const saleTotals = (columns: string, join?: string) =>
  totals(SALES, {
    columns: `${columns}, currency_code`,
    figures: SALES_FIGURES,
    ...(join === undefined ? {} : { join }),
  });
const purchaseTotals = (columns: string, join?: string) =>
  totals(PURCHASES, {
    columns: `${columns}, currency_code`,
    figures: PURCHASE_FIGURES,
    ...(join === undefined ? {} : { join }),
  });
const paymentTotals = (columns: string, state?: string) =>
  totals(
    state === undefined
      ? PAYMENTS
      : `select * from (${PAYMENTS}) as payments where state = '${state}'`,
    { columns, figures: PAYMENT_FIGURES },
  );
const PARTY = "inner join dim_counterparty_current using (counterparty_id)";
const PLACE = `inner join dim_location_current
  on agreed_delivery_location_id = location_id`;
const SELLER = "inner join dim_staff_current on sales_staff_id = staff_id";
const BUYER = "inner join dim_staff_current using (staff_id)";
const PERSON = "first_name || ' ' || last_name, department_name";
const PARTY_STATE =
  "counterparty_legal_name, payment_type_name, state, currency_code";

/** Of each chart its table, and which of its columns is drawn: the last. */
const CHARTS: Record<string, { text: string; drawn?: number }> = {
  "sales": { text: saleTotals("month") },
  "units": { text: saleTotals("month"), drawn: -2 },
  "purchases": { text: purchaseTotals("month") },
  "payments-by-month": {
    text: paymentTotals("month, payment_type_name, currency_code"),
  },
  "payments": {
    text: paymentTotals("payment_type_name, currency_code, state"),
  },
  "sales-by-counterparty": {
    text: saleTotals("counterparty_legal_name", PARTY),
  },
  "sales-by-country": { text: saleTotals("country", PLACE) },
  "sales-by-department": { text: saleTotals("department_name", SELLER) },
  "sales-by-staff": { text: saleTotals(PERSON, SELLER) },
  "sales-by-design": {
    text: saleTotals(
      "design_name",
      "inner join dim_design_current using (design_id)",
    ),
  },
  "purchases-by-counterparty": {
    text: purchaseTotals("counterparty_legal_name", PARTY),
  },
  "purchases-by-country": { text: purchaseTotals("country", PLACE) },
  "purchases-by-department": { text: purchaseTotals("department_name", BUYER) },
  "purchases-by-staff": { text: purchaseTotals(PERSON, BUYER) },
  "payments-overdue": { text: paymentTotals(PARTY_STATE, "overdue") },
  "payments-due": { text: paymentTotals(PARTY_STATE, "due") },
  "payments-paid": { text: paymentTotals(PARTY_STATE, "paid") },
};

testPage(
  "a month without sales is drawn as one, and a name keeps its colour",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      insertOrder(50),
      "update sales_order set currency_id = 2 where sales_order_id = 1",
    );
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    await batchShown(page, 2);
    const both = await drawnSeries(page, "sales");
    await page.locator("#currency").selectOption("USD");
    const one = await drawnSeries(page, "sales");

    // November with sales, December without, January with one.
    assert.deepEqual(both.map(({ name, data }) => [name, data.length]), [
      ["GBP", 3],
      ["USD", 3],
    ]);
    assert.equal(both[0]?.data[1], 0);
    assert.deepEqual(one.map(({ name, data }) => [name, data.length]), [
      ["USD", 1],
    ]);
    assert.equal(one[0]?.color, both[1]?.color);
    assert.notEqual(one[0]?.color, both[0]?.color);
    assert.deepEqual(errors, []);
  },
);

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
    await toggleTable(page, "sales");
    const sales = await tableRows(page, "sales");
    await page.locator("[data-view=changes]").click();
    await page.waitForSelector("#changes-list table");

    assert.deepEqual(sales, [["Nov. 2022", "GBP", "3", "6.000", "14.580"]]);
    assert.match(
      await page.locator("#changes-list").innerText(),
      /payment_date\s+07\.11\.2022\s+15\.01\.2023/,
    );
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
  await toggleTable(page, "sales-by-counterparty");
  const chart = page.locator("[data-chart=sales-by-counterparty]");
  const texts = [await chart.innerText()];
  await chart.getByRole("button", { name: "Rows" }).first().click();
  await page.waitForSelector("#rows[open] table");
  texts.push(await page.locator("#rows").innerText());
  await page.keyboard.press("Escape");
  await page.locator("[data-view=changes]").click();
  await page.waitForSelector("#changes-list table");
  texts.push(await page.locator("#changes-list").innerText());
  await page.locator("#changes-list").getByRole("button", {
    name: "History of purchase order 1",
  }).click();
  await page.waitForSelector("#history li");
  texts.push(await page.locator("#history").innerText());
  await page.goto(`${await served.address}#batch/2`);
  await page.waitForSelector("#batch-details table");
  texts.push(await page.locator("#batch-details").innerText());
  const option = await page.locator("#counterparties option").first()
    .getAttribute("value");

  for (const text of texts) assert.ok(text.includes(hostile), text);
  assert.equal(option, hostile);
  assert.equal(await page.evaluate("window.hurt"), undefined);
  assert.deepEqual(errors, []);
});
