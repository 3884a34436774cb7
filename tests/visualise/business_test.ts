import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { query } from "../../lib/postgres/postgres.ts";
import {
  batchShown,
  card,
  choose,
  closeBrowser,
  drawnSeries,
  loaded,
  open,
  ordersShown,
  plain,
  propertyOf,
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
    await page.mouse.click(x + width / 2, y + 2);
    await page.waitForSelector("#rows[open] table");
    const title = await page.locator("#rows-title").innerText();
    const address = page.url();

    assert.match(tip, /^\w+ \d{4}\s[^]*(paid|due|overdue) £[\d,]+$/);
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
    assert.match(texts[1] ?? "", /^Company 1\s+£300\s+▲ 20%$/);
    assert.match(other, /^Company 2\s+£20$/);
    assert.match(address, /\?counterparty=Company\+1$/);
    // The rows are of the same days as the figure.
    assert.equal(rows, 1);
    // There are some, of earlier years.
    assert.match(none, /: nothing in the last twelve months\.$/);
    assert.deepEqual(errors, []);
  },
);

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
