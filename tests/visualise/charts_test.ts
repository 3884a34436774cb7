import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { query } from "../../lib/postgres/postgres.ts";
import {
  batchShown,
  drawnSeries,
  loaded,
  open,
  ordersShown,
  plain,
  Served,
  tableRows,
  testPage,
  toggleTable,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

testPage("the keyboard moves over a chart's points to their rows", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  const plot = page.locator("[data-chart=month] .plot");
  const tip = page.locator("[data-chart=month] .tip");
  await plot.focus();
  const texts: string[] = [];
  for (const key of ["ArrowLeft", "ArrowLeft", "Home", "ArrowLeft"]) {
    await page.keyboard.press(key);
    texts.push((await tip.innerText()).replace(/\s+/g, " "));
  }
  // A new batch leaves the chosen point as it is.
  await execute(
    platform.source.client,
    "update sales_order set units_sold = 1 where sales_order_id = 1",
  );
  await platform.run();
  await tip.getByText("£12,152").waitFor();
  const focused = await page.evaluate("document.activeElement.className");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#rows[open] table");

  assert.deepEqual(texts, [
    "Jan 2023 value £1",
    "Dec 2022 value £0",
    "Nov 2022 value £14,580",
    "Nov 2022 value £14,580",
  ]);
  assert.equal(focused, "plot acts");
  assert.match(await page.locator("#rows-title").innerText(), /Nov 2022, 3$/);
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
    const address = await served.address;
    const { page, errors } = await open(address);
    await batchShown(page, 2);
    for (const [from, where] of [["", "true"], ["2023-01-01", "in_time"]]) {
      for (const [measure, currency, charts] of MEASURES) {
        await page.goto(
          `${address}?measure=${measure}&currency=${currency}&from=${from}`,
        );
        await batchShown(page, 2);
        const ids = await page.evaluate(
          `[...document.querySelectorAll("#overview [data-chart]")]
            .map(({ dataset }) => dataset.chart)`,
        );
        assert.deepEqual(ids, Object.keys(charts));
        for (const [id, text] of Object.entries(charts)) {
          const what = `${measure} ${id} ${from}`;
          const byHand = (await query(
            platform.warehouse.client,
            text.replace(
              "WHERE",
              `where ${where} and currency_code = '${currency}'`,
            ),
          )).map((row) => Object.values(row).map(plain)).sort();
          const drawn = id === "month"
            ? (await drawnSeries(page, id)).flatMap(({ data }) => data)
            : await shownBars(page, id);
          const isHidden = byHand.length === 0;
          if (!isHidden) await toggleTable(page, id);
          const rows = (await tableRows(page, id)).map((row) => row.map(plain));
          if (!isHidden) await toggleTable(page, id);
          const sum = (numbers: unknown[]) =>
            numbers.reduce((sum: number, one) => sum + Number(one ?? 0), 0);
          const expected = sum(byHand.map((row) => row.at(-1)));

          assert.deepEqual(rows.sort(), byHand, what);
          assert.ok(
            // Bars are written in whole units.
            Math.abs(sum(drawn) - expected) <= (id === "month" ? 0.005 : 2),
            `${what}, as drawn: ${drawn}, not ${expected}`,
          );
        }
      }
    }
    // Units and orders are drawn as well.
    await page.goto(`${address}?currency=GBP`);
    await batchShown(page, 2);
    for (
      const [figure, expected] of [["orders", [3, 0, 1]], ["units", [
        6000,
        0,
        1,
      ]]]
    ) {
      await page.locator("#figures").getByText(String(figure)).click();
      await page.locator("#figures [aria-pressed=true]").getByText(
        String(figure),
      )
        .waitFor();
      const [series] = await drawnSeries(page, "month");
      assert.deepEqual(series?.data, expected);
    }
    assert.deepEqual(errors, []);
  },
);

/** The figures that a list of bars names, exactly. */
async function shownBars(page: Page, id: string): Promise<number[]> {
  return await page.evaluate(
    `[...document.querySelectorAll("[data-chart=${id}] .bars .amount")]
      .map(({ title }) => Number(title.replace(/[^\\d.-]/g, "")))`,
  ) as number[];
}

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
      else 'due' end as state, payment_type_name as code,
    lower(replace(payment_type_name, '_', ' ')) as kind,
    case (least(91, (now() at time zone 'UTC')::date - payment_date) - 1) / 30
      when 3 then 'over 90 days' when 2 then '61 to 90 days'
      when 1 then '31 to 60 days' else 'up to 30 days' end as ageing
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
const paymentTotals = (columns: string, where: string) =>
  totals(`select * from (${PAYMENTS}) as payments where ${where}`, {
    columns,
    figures: PAYMENT_FIGURES,
  });
const PARTY = "inner join dim_counterparty_current using (counterparty_id)";
const PLACE = `inner join dim_location_current
  on agreed_delivery_location_id = location_id`;
const SELLER = "inner join dim_staff_current on sales_staff_id = staff_id";
const BUYER = "inner join dim_staff_current using (staff_id)";
const PERSON = "first_name || ' ' || last_name, department_name";
const PARTY_STATE = "counterparty_legal_name, kind, state, currency_code";

/** Of each measure a currency, and the tables of its charts. */
const MEASURES: [string, string, Record<string, string>][] = [
  ["sales", "GBP", {
    month: saleTotals("month"),
    counterparty: saleTotals("counterparty_legal_name", PARTY),
    country: saleTotals("country", PLACE),
    design: saleTotals(
      "design_name",
      "inner join dim_design_current using (design_id)",
    ),
    department: saleTotals("department_name", SELLER),
    staff: saleTotals(PERSON, SELLER),
  }],
  ["purchases", "USD", {
    month: purchaseTotals("month"),
    counterparty: purchaseTotals("counterparty_legal_name", PARTY),
    country: purchaseTotals("country", PLACE),
    department: purchaseTotals("department_name", BUYER),
    staff: purchaseTotals(PERSON, BUYER),
  }],
  ["owed", "GBP", paymentCharts("SALES_RECEIPT")],
  ["owing", "GBP", paymentCharts("PURCHASE_PAYMENT")],
];

function paymentCharts(kind: string): Record<string, string> {
  const ofState = (state: string) =>
    paymentTotals(PARTY_STATE, `state = '${state}' and code = '${kind}'`);
  return {
    month: paymentTotals(
      "month, kind, state, currency_code",
      `code = '${kind}'`,
    ),
    ageing: paymentTotals(
      "ageing, kind, state, currency_code",
      `state = 'overdue' and code = '${kind}'`,
    ),
    overdue: ofState("overdue"),
    due: ofState("due"),
    paid: ofState("paid"),
  };
}

testPage(
  "orders of twelve months are compared with the same days a year before",
  async () => {
    await using platform = await loaded();
    const { client } = platform.source;
    const [days] = await query(
      client,
      `select today::text as today,
        (today - interval '1 year')::date::text as year_ago,
        (today - interval '1 year 1 month')::date::text as earlier,
        (today - interval '5 years')::date::text as long_ago
      from (select (now() at time zone 'UTC')::date as today) as days`,
    );
    const order = (id: number, units: number, day = "") =>
      insertOrder(id, units).replaceAll("2023-01-01", day);
    await execute(
      client,
      order(50, 300, days?.today ?? ""),
      order(51, 150, days?.year_ago ?? ""),
      order(52, 100, days?.earlier ?? ""),
      order(53, 7000, days?.long_ago ?? ""),
      // Of another counterparty, which had nothing the year before.
      order(54, 20, days?.today ?? ""),
      "update sales_order set counterparty_id = 2 where sales_order_id = 54",
    );
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    await ordersShown(page, 2);
    const card = page.locator("[data-card=sales]");
    const texts = [await card.innerText()];
    const headline = await page.locator("#headline").innerText();
    const drawn = await drawnSeries(page, "month");
    const company = page.locator("[data-chart=counterparty] .row", {
      hasText: "Company 1",
    });
    texts.push(await company.innerText());
    const other = await page.locator("[data-chart=counterparty] .row", {
      hasText: "Company 2",
    }).innerText();
    await company.click();
    await ordersShown(page, 1);
    const address = page.url();
    const country = page.locator("[data-chart=country] .row").first();
    await country.click();
    await page.locator("[data-chip=country]").waitFor();
    // What filters already leads to its rows.
    await country.click();
    await page.waitForSelector("#rows[open] table");
    const rows = await page.locator("#rows tbody tr").count();
    await page.keyboard.press("Escape");
    await page.locator("#period").getByText("All time").click();
    await ordersShown(page, 7);
    await page.goto(`${await served.address}?measure=purchases`);
    const months = page.locator("[data-chart=month]");
    await months.getByText("nothing").waitFor();
    const none = await months.innerText();

    // 320 now, and 250 from the year before's first day to today's.
    assert.match(texts[0] ?? "", /£320\s+2 orders\s+▲ 28% on the year before$/);
    assert.equal(
      headline,
      "Sales: ▲ 28% (+£70) on the year before. Of those below, Company 1 " +
        "rose most (+£50).",
    );
    assert.deepEqual(
      drawn.map(({ name, data }) => [name, data.reduce((a, b) => a + b)]),
      [["a year before", 250], ["value", 320]],
    );
    assert.equal(drawn[0]?.data.length, 12);
    assert.match(
      texts[1] ?? "",
      /^Company 1\s+£300\s+▲ 20%\s+93.8%\s+of £320$/,
    );
    assert.match(other, /^Company 2\s+£20\s+6.3%\s+of £320$/);
    assert.match(address, /\?counterparty=Company\+1$/);
    // The rows are of the same days as the figure.
    assert.equal(rows, 1);
    // There are some, of earlier years.
    assert.match(none, /: nothing in the last twelve months\.$/);
    assert.deepEqual(errors, []);
  },
);

testPage(
  "a month without sales is drawn as one, and a state keeps its colour",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      insertOrder(50),
      "update sales_order set currency_id = 2 where sales_order_id = 1",
      "update payment set paid = true where payment_id = 4",
    );
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    await batchShown(page, 2);
    const [pounds] = await drawnSeries(page, "month");
    await page.locator("[data-currency=USD]").click();
    await ordersShown(page, 1);
    const [dollars] = await drawnSeries(page, "month");
    await page.locator("[data-currency=GBP]").click();
    await page.locator("[data-card=owed]").click();
    await page.waitForSelector("[data-chart=overdue]");
    const states = await drawnSeries(page, "month");
    const colors = Object.fromEntries(
      states.map(({ name, color }) => [name, color]),
    );
    const colorOfBars = (id: string) =>
      page.evaluate(
        `getComputedStyle(
          document.querySelector("[data-chart=${id}] .bars rect"),
        ).fill`,
      );

    // November with sales, December without, January with one.
    assert.deepEqual(pounds?.data.length, 3);
    assert.equal(pounds?.data[1], 0);
    assert.deepEqual(dollars?.data, [2430]);
    assert.equal(new Set(Object.values(colors)).size, 2);
    for (const state of ["overdue", "paid"]) {
      assert.equal(await colorOfBars(state), colors[state], state);
    }
    assert.deepEqual(errors, []);
  },
);
