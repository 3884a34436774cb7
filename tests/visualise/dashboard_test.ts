import axe from "axe-core";
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { query } from "../../lib/postgres.ts";
import { serveDashboard } from "../../visualise/main.ts";
import { createServer } from "../../visualise/server.ts";
import { Warehouse } from "../../visualise/warehouse.ts";
import { findChromium, openBrowser } from "../harness/browser.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/small_source.ts";

const TOKEN = "a-token-of-the-tests";
const executable = await findChromium();
if (executable === undefined) {
  console.log("no Chromium is installed: the dashboard's pages are not tested");
}
let browser: Browser | undefined;

/** A dashboard on the warehouse of a platform. */
class Served implements AsyncDisposable {
  readonly #stopping = new AbortController();
  readonly #served: Promise<void>;
  readonly address: Promise<string>;

  constructor(
    platform: Platform,
    port = 0,
    token?: string,
    analyst = platform.warehouse.settings,
  ) {
    platform.set({
      analyst,
      dashboard: { host: "127.0.0.1", port, token },
    });
    const context = { ...platform.context, signal: this.#stopping.signal };
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.address = promise;
    this.#served = serveDashboard(context, resolve);
    this.#served.catch(reject);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#served;
  }
}

/** A way to a server that can be cut without a word to either side. */
class CutWay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  /** What came before it is forwarded no more. */
  cutAt = 0;

  constructor(private readonly to: { host: string; port: number }) {
    this.#serve();
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async #serve(): Promise<void> {
    for await (const here of this.#listener) {
      const began = performance.now();
      const there = await Deno.connect({
        hostname: this.to.host,
        port: this.to.port,
      });
      for (const one of [here, there]) this.#open.add(one);
      const forward = async (from: Deno.Conn, to: Deno.Conn) => {
        const bytes = new Uint8Array(65_536);
        for (;;) {
          const count = await from.read(bytes);
          if (count === null) break;
          if (began < this.cutAt) continue;
          await to.write(bytes.subarray(0, count));
        }
        await to.closeWrite();
      };
      forward(here, there).catch(() => {});
      forward(there, here).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const one of this.#open) {
      try {
        one.close();
      } catch {
        // It is closed.
      }
    }
    await new Promise((wake) => setTimeout(wake));
  }
}

function openWarehouse({ warehouse, context }: Platform): Warehouse {
  return new Warehouse(warehouse.settings, context.resources.connect);
}

/** The dashboard's server where answers can't stream, and nobody is asked. */
function withoutStream({ context: { log } }: Platform, warehouse: Warehouse) {
  return createServer({ warehouse, live: undefined, log, token: undefined });
}

async function loaded(): Promise<Platform> {
  const platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  return platform;
}

/** Opens the page, and fails on whatever it reports. */
async function open(
  address: string,
): Promise<{ page: Page; errors: string[] }> {
  browser ??= await openBrowser(executable ?? "");
  const page = await browser.newPage({
    viewport: { width: 1280, height: 900 },
    locale: "en-GB",
  });
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(address);
  await page.waitForSelector("body[data-batch]");
  return { page, errors };
}

const batchShown = (page: Page, batch: number) =>
  page.waitForSelector(`body[data-batch="${batch}"]`);
const card = (page: Page, name: string) =>
  page.locator(`[data-card="${name}"] dd`).innerText();

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name,
    ignore: executable === undefined,
    // The browser outlives the tests that share it.
    sanitizeOps: false,
    sanitizeResources: false,
    fn,
  });
}

Deno.test.afterAll(async () => {
  await browser?.close();
});

test("the dashboard shows what SQL gives, and moves with a batch", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  const orders = async () => {
    const [row] = await query(
      platform.warehouse.client,
      "select count(*) as count from fact_sales_order_current",
    );
    return row?.count;
  };
  await batchShown(page, 1);
  await page.waitForSelector(".status[data-state=live]");
  const first = await card(page, "Sales orders");
  const firstByHand = await orders();
  await execute(platform.source.client, insertOrder(50), insertOrder(51));
  await platform.run();
  const began = performance.now();
  await batchShown(page, 2);
  const waited = performance.now() - began;

  assert.equal(first, firstByHand);
  assert.equal(await card(page, "Sales orders"), await orders());
  assert.notEqual(await orders(), firstByHand);
  assert.ok(waited < 5_000, `it took ${waited} ms`);
  assert.deepEqual(errors, []);
});

test("the slider shows the past, and what a batch changed", async () => {
  await using platform = await loaded();
  await execute(
    platform.source.client,
    "update sales_order set units_sold = 777 where sales_order_id = 1",
    "delete from payment where payment_id = 5",
    insertOrder(50),
  );
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  const now = await card(page, "Sales orders");
  await page.locator("#slider").fill("1");
  await page.locator("#slider").dispatchEvent("change");
  await batchShown(page, 1);
  const then = await card(page, "Sales orders");
  await page.locator("#now").click();
  await batchShown(page, 2);
  await page.locator("[data-view=changes]").click();
  await page.waitForSelector("#changes-list table");
  const changes = await page.locator("#changes-list").innerText();
  await page.locator("#history-key").fill("1");
  await page.locator("#history-form button").click();
  await page.waitForSelector("#history li");

  assert.equal(Number(now) - Number(then), 1);
  assert.match(changes, /sales order\s+1\s+updated\s+units_sold\s+\d+\s+777/);
  assert.match(changes, /sales order\s+50\s+added/);
  assert.match(changes, /payment\s+5\s+deleted/);
  assert.equal(await page.locator("#history li").count(), 2);
  assert.deepEqual(errors, []);
});

test("a fact's history is a line through time, and leads to any moment of it", async () => {
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
  const { page, errors } = await open(`${await served.address}#changes`);
  await page.locator("#changes-list").getByRole("button", {
    name: "History of payment 5",
  }).click();
  await page.waitForSelector("#history li");
  const events = await page.locator("#history li").allInnerTexts();
  await page.locator("#history li").nth(1)
    .getByRole("button", { name: "Everything as of then" }).click();
  await batchShown(page, 2);
  await page.waitForSelector("#business:not([hidden])");

  assert.match(events[0] ?? "", /^added in batch 1, /);
  assert.match(
    events[1] ?? "",
    /^updated in batch 2, [^]*payment amount\s+[\d.]+ → 777/,
  );
  assert.match(events[2] ?? "", /^deleted in batch 3, [^\n]*\n?[^\n]*$/);
  assert.match(events[3] ?? "", /^added in batch 4, [^]*payment amount/);
  assert.equal(events.length, 4);
  assert.deepEqual(errors, []);
});

test("the pipeline's view shows its batches and the newest verification", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await execute(
    platform.warehouse.client,
    `insert into pipeline.verification (batch, snapshot_time, model, place, differences)
    values (2, now(), 'dim_staff', 'lake', 3)`,
  );
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  const none = await page.locator("#batches").innerText();
  await page.locator("[data-view=pipeline]").click();
  await page.waitForSelector("#batches table");
  const batches = await page.locator("#batches tbody tr").count();
  const verification = await page.locator("#verification tbody").innerText();

  assert.equal(none, "");
  assert.equal(batches, 2);
  assert.match(verification, /^2\s.*\slake\s+dim_staff\s+3$/);
  assert.equal(await page.locator("#problem").isVisible(), false);
  assert.deepEqual(errors, []);
});

test("an open page turns stale by itself when nothing comes", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  browser ??= await openBrowser(executable ?? "");
  const page = await browser.newPage();
  await page.clock.install();
  await page.goto(await served.address);
  await page.waitForSelector(".status[data-state=live]");

  let text = "";
  // Answers that are on their way make it fresh once more, and then none come.
  for (let hour = 1; hour <= 100 && !text.startsWith("Stale"); hour++) {
    await new Promise((wake) => setTimeout(wake, 100));
    await page.clock.fastForward("01:00:00");
    await page.clock.runFor(10_000);
    text = await page.locator("#status-text").innerText();
  }

  assert.match(text, /^Stale: the warehouse is \d+ minutes behind$/);
});

test("filters hold for every chart, and what is shown can be saved", async () => {
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
    const cells = await page.locator(`[data-chart=${id}] tbody td:first-child`)
      .allTextContents();
    return [...new Set(cells)];
  };
  const choose = async (name: string, orders: number) => {
    await page.locator("#counterparty").fill(name);
    await page.locator("#counterparty").dispatchEvent("change");
    await page.locator("[data-card='Sales orders'] dd")
      .getByText(String(orders), { exact: true }).waitFor();
  };
  await choose("Company 2", 1);
  const chosen = await parties("sales-by-counterparty");
  const ofPayments = await parties("payments-by-counterparty");
  await choose("", all);
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
  assert.match(csv, /^"counterparty","country","currency"/);
  assert.match(csv, /"'=cmd/);
});

test("a figure leads to its rows, and a row to the order's history", async () => {
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
  await chart.locator("tbody tr", { hasText: "2022-11" })
    .getByRole("button", { name: "Rows" }).first().click();
  await page.waitForSelector("#rows[open] table");
  const title = await page.locator("#rows-title").innerText();
  const rows = await page.locator("#rows tbody tr").allInnerTexts();
  const byHand = await query(
    platform.warehouse.client,
    `select sales_order_id from fact_sales_order_current
    inner join dim_currency_current using (currency_id)
    where to_char(created_date, 'YYYY-MM') = '2022-11'
      and currency_code = '${/2022-11, (\w+),/.exec(title)?.[1]}'`,
  );
  await page.locator("#rows tbody tr", { hasText: "777" })
    .getByRole("button", { name: "History" }).click();
  await page.waitForSelector("#history li");

  assert.match(title, /^Sales by month: 2022-11, \w+, \d+$/);
  assert.equal(rows.length, byHand.length);
  assert.ok(rows.length > 0);
  assert.equal(await page.locator("#rows[open]").count(), 0);
  assert.equal(await page.locator("#history li").count(), 2);
  assert.deepEqual(errors, []);
});

test("a click on a chart shows the rows behind it", async () => {
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

test("what changed is told over several batches, too", async () => {
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
  const { page, errors } = await open(`${await served.address}#changes`);
  await batchShown(page, 4);
  const last = await page.locator("#changes-list").innerText();
  await page.locator("#since").fill("1");
  await page.locator("#since").dispatchEvent("change");
  await page.locator("#changes-list").getByText("1000", { exact: true })
    .waitFor();
  const since = await page.locator("#changes-list").innerText();

  assert.match(last, /sales order\s+700\s+deleted/);
  assert.doesNotMatch(last, /sales order\s+1\s/);
  // From one state to the other: what came and went in between is neither.
  assert.match(since, /sales order\s+1\s+updated\s+units_sold\s+1000\s+800/);
  assert.match(since, /sales order\s+800\s+added/);
  assert.doesNotMatch(since, /sales order\s+700\s/);
  assert.deepEqual(errors, []);
});

test("a batch's page tells what it did to each model", async () => {
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
  const orders = await card(page, "Sales orders");
  const unknown = await card(page, "Sales, unknown");
  await page.locator("[data-view=pipeline]").click();
  await page.waitForSelector("#batches table");
  await page.locator("#batches tbody tr").first()
    .getByRole("button", { name: "Details" }).click();
  await page.waitForSelector("#batch-details table");
  const details = await page.locator("#batch-details").innerText();

  // Of a currency that the source lacks, an order counts all the same.
  assert.equal(orders, "4");
  assert.equal(unknown, "1");
  assert.match(details, /^Batch 2\n/);
  assert.match(details, /run id\s+\d{8}T\d{6}Z-/);
  assert.match(details, /fact_sales_order\s+sales_order\s+2\s+1\s/);
  assert.match(details, /references_are_known\s+warning\s+50\s/);
  assert.match(
    details,
    /fact_sales_order\s+fact_sales_order\/batch=000000002\/\S+\.parquet\s+2\s+[\d,]+\s+[0-9a-f]{64}/,
  );
  assert.match(details, /transformed at\s+\d/);
  assert.equal(await page.locator("[data-chart=freshness]").count(), 1);
  assert.deepEqual(errors, []);
});

test("months hold for rankings as well", async () => {
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
  await page.locator("#from").fill("2023-01");
  await page.locator("#from").dispatchEvent("change");
  await page.locator("[data-card='Sales orders'] dd").getByText(/^1$/)
    .waitFor();

  assert.equal(all, 4);
  assert.equal(await orders(), 1);
  assert.deepEqual(errors, []);
});

Deno.test("the dashboard forgets what it kept of a warehouse that was made anew", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const address = await served.address;
  const units = async () => {
    await (await fetch(`${address}api/newest`)).body?.cancel();
    const answer = await fetch(`${address}api/overview/1`);
    const { sales } = await answer.json();
    return sales.month.reduce(
      (sum: number, row: { units: string }) => sum + Number(row.units),
      0,
    );
  };
  const before = await units();
  await execute(
    platform.warehouse.client,
    "update fact_sales_order set units_sold = units_sold + 1 where sales_order_id = 1",
  );
  const kept = await units();
  await execute(
    platform.warehouse.client,
    "update pipeline.batch set lake_id = 'another'",
  );

  assert.equal(kept, before);
  assert.equal(await units(), before + 1);
  await execute(
    platform.warehouse.client,
    "update fact_sales_order set units_sold = units_sold + 1 where sales_order_id = 1",
    "select pg_notify('pipeline_batch', '1')",
  );
  // A rebuild tells the newest batch again.
  for (let tries = 0; await units() !== before + 2; tries++) {
    assert.ok(tries < 50, "it goes on with what was before");
    await new Promise((wake) => setTimeout(wake, 100));
  }
});

test("every chart shows what SQL gives, for the months that are chosen", async () => {
  await using platform = await loaded();
  await execute(
    platform.source.client,
    insertOrder(50),
    "update payment set payment_date = '2023-01-15' where payment_id = 5",
  );
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  const shown = async (id: string) => {
    const chart = page.locator(`[data-chart=${id}]`);
    await chart.getByRole("button", { name: "Table" }).click();
    const rows = await chart.locator("tbody tr").all();
    return (await Promise.all(
      rows.map(async (row) =>
        (await row.locator("td").allInnerTexts()).slice(0, -1).join("|")
      ),
    )).sort();
  };
  for (const [from, where] of [["", "true"], ["2023-01", "in_time"]]) {
    await page.locator("#from").fill(from ?? "");
    await page.locator("#from").dispatchEvent("change");
    await page.locator("[data-card='Sales orders'] dd")
      .getByText(from === "" ? /^4$/ : /^1$/).waitFor();
    for (const [id, sql] of Object.entries(CHARTS)) {
      const rows = await query(
        platform.warehouse.client,
        `with asked as (${sql.replace("WHERE", `where ${where}`)})
        select concat_ws('|', variadic array(
          select value from jsonb_each_text(to_jsonb(asked)) order by key
        )) as row from asked`,
      );
      const figures = (await shown(id)).map((row) =>
        row.split("|").map((text) =>
          String(Number(text.replaceAll(",", "")) || text)
        ).sort()
      );
      const byHand = rows.map(({ row }) =>
        String(row).split("|").map((text) =>
          String(Number(text.replaceAll(",", "")) || text)
        )
          .sort()
      );
      const order = (a: string[], b: string[]) => a.join() < b.join() ? -1 : 1;
      assert.deepEqual(
        figures.sort(order),
        byHand.sort(order),
        `${id} ${from}`,
      );
      await page.locator(`[data-chart=${id}]`)
        .getByRole("button", { name: "Table" }).click();
    }
  }
  assert.deepEqual(errors, []);
});

/** What charts show, by hand; WHERE is replaced. */
const SALES = `select *, units_sold * unit_price as value,
    created_date >= '2023-01-01' as in_time
  from fact_sales_order_current inner join dim_currency_current
    using (currency_id)`;
const PURCHASES = `select *, item_quantity * item_unit_price as value,
    created_date >= '2023-01-01' as in_time
  from fact_purchase_order_current inner join dim_currency_current
    using (currency_id)`;
const PAYMENTS = `select *, payment_date >= '2023-01-01' as in_time,
    case when paid then 'paid'
      when payment_date < (now() at time zone 'UTC')::date then 'overdue'
      else 'due' end as state
  from fact_payment_current
  inner join dim_currency_current using (currency_id)
  inner join dim_payment_type_current using (payment_type_id)
  inner join dim_counterparty_current using (counterparty_id)`;
const CHARTS = {
  "sales-by-department": `select department_name, currency_code, count(*),
      sum(units_sold) as units, sum(value) as value
    from (${SALES}) as orders inner join dim_staff_current
      on sales_staff_id = staff_id WHERE
    group by department_name, currency_code`,
  "sales-by-country": `select country, currency_code, count(*),
      sum(units_sold) as units, sum(value) as value
    from (${SALES}) as orders inner join dim_location_current
      on agreed_delivery_location_id = location_id WHERE
    group by country, currency_code`,
  "purchases-by-counterparty": `select counterparty_legal_name,
      counterparty_legal_country, currency_code, count(*),
      sum(item_quantity) as units, sum(value) as value
    from (${PURCHASES}) as orders
    inner join dim_counterparty_current using (counterparty_id) WHERE
    group by counterparty_legal_name, counterparty_legal_country, currency_code`,
  "purchases-by-staff": `select first_name || ' ' || last_name as name,
      department_name, currency_code, count(*), sum(item_quantity) as units,
      sum(value) as value
    from (${PURCHASES}) as orders inner join dim_staff_current using (staff_id)
    WHERE group by name, department_name, currency_code`,
  "payments-by-month": `select to_char(payment_date, 'YYYY-MM') as month,
      payment_type_name, currency_code, count(*), sum(payment_amount) as value
    from (${PAYMENTS}) as payments WHERE
    group by month, payment_type_name, currency_code`,
  "payments": `select payment_type_name, currency_code, state, count(*),
      sum(payment_amount) as value
    from (${PAYMENTS}) as payments WHERE
    group by payment_type_name, currency_code, state`,
};

test("of two moments that are asked for, the last one shows", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  let answered = 0;
  await page.route("**/api/overview/1?*", async (route) => {
    await new Promise((wake) => setTimeout(wake, 500));
    await route.continue();
    answered += 1;
  });
  await page.locator("#slider").fill("1");
  await page.locator("#slider").dispatchEvent("change");
  const busy = await page.locator("#main").getAttribute("aria-busy");
  const late = page.waitForResponse(/api\/overview\/1/);
  await page.locator("#now").click();
  await (await late).finished();
  await page.waitForSelector("#main[aria-busy=false]");
  // The late answer had its time to do harm.
  await page.waitForTimeout(300);

  assert.equal(busy, "true");
  assert.equal(answered, 1);
  assert.equal(await card(page, "Sales orders"), "4");
  assert.equal(await page.locator("#batch").innerText(), "2");
  assert.deepEqual(errors, []);
});

test("a page says that the database is away, and heals when it is back", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const { page } = await open(await served.address);
  await page.waitForSelector(".status[data-state=live]");
  const { database } = platform.warehouse.settings;
  const admin = platform.source.client;
  await execute(
    admin,
    `alter database "${database}" allow_connections false`,
    `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = '${database}' and application_name like 'totesys dashboard%'`,
  );
  await page.locator("#status-text").getByText("Not connected").waitFor();
  await page.locator("[data-view=pipeline]").click();
  await page.locator("#problem").getByText(
    "The figures could not be brought up to date: The warehouse did not answer.",
  ).waitFor();
  await execute(admin, `alter database "${database}" allow_connections true`);
  await page.waitForSelector(".status[data-state=live]");
  await page.waitForSelector("#batches table");
  await page.locator("#problem").waitFor({ state: "hidden" });
  await execute(platform.source.client, insertOrder(50));
  await platform.run();

  await batchShown(page, 2);
});

test("a page says that its link was cut without a word, and finds another", async () => {
  await using platform = await loaded();
  const { settings } = platform.warehouse;
  await using way = new CutWay(settings);
  await using served = new Served(platform, 0, undefined, {
    ...settings,
    host: "127.0.0.1",
    port: way.port,
  });
  const { page } = await open(await served.address);
  await page.waitForSelector(".status[data-state=live]");
  way.cutAt = performance.now();
  await page.locator("#status-text").getByText("Not connected").waitFor();
  await page.waitForSelector(".status[data-state=live]");
  await execute(platform.source.client, insertOrder(50));
  await platform.run();

  await batchShown(page, 2);
  await page.close();
});

test("hostile text stays text", async () => {
  await using platform = await loaded();
  await execute(
    platform.source.client,
    `update counterparty set counterparty_legal_name = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'`,
  );
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  const chart = page.locator("[data-chart=sales-by-counterparty]");
  await chart.getByRole("button", { name: "Table" }).click();

  assert.match(await chart.innerText(), /<img src=x onerror=/);
  assert.equal(await page.evaluate("window.hurt"), undefined);
  assert.deepEqual(errors, []);
});

test("a page finds its server again, and says when it can't", async () => {
  await using platform = await loaded();
  let served = new Served(platform);
  const address = await served.address;
  const { page } = await open(address);
  await page.waitForSelector(".status[data-state=live]");

  await served[Symbol.asyncDispose]();
  await page.waitForSelector(".status[data-state=stale]");
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  served = new Served(platform, Number(new URL(address).port));
  await served.address;
  await page.waitForSelector(".status[data-state=live]", { timeout: 20_000 });
  await batchShown(page, 2);

  await served[Symbol.asyncDispose]();
});

test("a page asks again and again where nothing can be streamed", async () => {
  await using platform = await loaded();
  await using warehouse = openWarehouse(platform);
  const app = withoutStream(platform, warehouse);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    app.fetch,
  );
  const { page, errors } = await open(`http://127.0.0.1:${server.addr.port}/`);
  await page.waitForSelector(".status[data-state=live]");
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await batchShown(page, 2);

  assert.equal(await card(page, "Sales orders"), "4");
  assert.deepEqual(errors, []);
  await page.close();
  await server.shutdown();
});

test("axe finds no serious fault, in light and dark, on a phone and a wall", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const { page } = await open(await served.address);
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [390, 2560]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      for (const view of ["business", "changes", "pipeline"]) {
        await page.locator(`[data-view=${view}]`).click();
        await page.waitForSelector(`#${view}:not([hidden])`);
        await page.waitForSelector("#main[aria-busy=false]");
        if (view === "business") {
          await page.locator("[data-chart=sales]")
            .getByRole("button", { name: "Table" }).click();
        } else if (view === "changes") {
          await page.locator("#history-key").fill("1");
          await page.locator("#history-form button").click();
          await page.waitForSelector("#history li");
        } else {
          await page.locator("#batches").getByRole("button").first().click();
          await page.waitForSelector("#batch-details table");
        }
        const wide = await page.evaluate(
          "document.documentElement.scrollWidth - innerWidth",
        );
        assert.ok(Number(wide) <= 0, `${view} at ${width}: ${wide} too wide`);
        // By the debugger, which the page's own policy does not bind.
        await page.evaluate(axe.source);
        const found = await page.evaluate("axe.run()") as {
          violations: { id: string; impact: string; nodes: unknown[] }[];
        };
        const serious = found.violations.filter(({ impact }) =>
          ["serious", "critical"].includes(impact)
        );
        assert.deepEqual(
          serious.map(({ id, nodes }) => `${id}: ${JSON.stringify(nodes)}`),
          [],
          `${view}, ${colorScheme}, ${width}`,
        );
      }
    }
  }
});

Deno.test("the dashboard asks for its token, and needs one beyond this machine", async () => {
  await using platform = await loaded();
  await using served = new Served(platform, 0, TOKEN);
  const address = await served.address;
  const ask = async (authorization?: string) => {
    const answer = await fetch(`${address}api/newest`, {
      headers: authorization === undefined ? {} : { authorization },
    });
    await answer.body?.cancel();
    return answer.status;
  };

  assert.equal(await ask(), 401);
  assert.equal(await ask("Bearer wrong"), 401);
  assert.equal(await ask(`Bearer ${TOKEN}`), 200);
  assert.equal(await ask(`Basic ${btoa(`anybody:${TOKEN}`)}`), 200);
  const health = await fetch(`${address}health`);
  assert.deepEqual(await health.json(), { ok: true, batch: "1" });
  assert.equal(await ask("Basic ===="), 401);
  platform.set({ dashboard: { host: "0.0.0.0", port: 0, token: undefined } });
  await assert.rejects(serveDashboard(platform.context), {
    name: "ConfigError",
    message: /^DASHBOARD_LISTEN is "0\.0\.0\.0:0", which others reach/,
  });
});

test("people sign in by a form, once", async () => {
  await using platform = await loaded();
  await using served = new Served(platform, 0, TOKEN);
  browser ??= await openBrowser(executable ?? "");
  const page = await browser.newPage();
  await page.goto(await served.address);
  await page.locator("input[name=token]").fill("a-wrong-one");
  await page.getByRole("button", { name: "Sign in" }).click();
  const refused = await page.getByRole("alert").innerText();
  await page.locator("input[name=token]").fill(TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await batchShown(page, 1);
  await page.waitForSelector(".status[data-state=live]");
  const [cookie] = await page.context().cookies();

  assert.equal(refused, "That is not the token.");
  assert.equal(cookie?.httpOnly, true);
  assert.equal(cookie?.sameSite, "Strict");
  assert.ok(!cookie?.value.includes(TOKEN));
  await page.reload();
  await batchShown(page, 1);
  await page.context().clearCookies();
});

Deno.test("without a token nothing is told to a page from elsewhere", async () => {
  await using platform = await loaded();
  await using warehouse = openWarehouse(platform);
  const app = withoutStream(platform, warehouse);
  const status = async (host: string) =>
    (await app.request(`http://${host}:8300/api/newest`)).status;

  assert.equal(await status("127.0.0.1"), 200);
  assert.equal(await status("localhost"), 200);
  assert.equal(await status("[::1]"), 200);
  assert.equal(await status("rebound.example.com"), 403);
});

Deno.test("the dashboard refuses what is no batch, and says when the warehouse is away", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const address = await served.address;
  const ask = async (path: string) => {
    const answer = await fetch(address + path);
    return [answer.status, await answer.text()] as const;
  };

  assert.equal((await ask("api/overview/2"))[0], 400);
  assert.equal((await ask("api/overview/1'--"))[0], 400);
  assert.equal((await ask("api/history/payment/x"))[0], 400);
  assert.equal((await ask("api/history/staff/1"))[0], 404);
  assert.equal((await ask("api/history/payment/99999999999"))[0], 400);
  assert.equal((await ask("api/rows/sales/1?staff=%00"))[0], 400);
  assert.equal((await ask("api/overview/1?from=2023"))[0], 400);
  assert.equal((await ask("api/changes/1?since=1"))[0], 400);
  assert.equal((await ask("api/rows/sales/1?month=2023-13"))[0], 400);
  assert.equal((await ask("api/rows/staff/1"))[0], 404);
  assert.equal((await ask("nothing"))[0], 404);
  assert.equal((await ask("api/overview/1"))[0], 200);
  await platform.warehouse.client.query(
    `alter table pipeline.batch rename column snapshot_time to away`,
  );
  const [status, text] = await ask("api/newest");
  assert.equal(status, 503);
  assert.equal(text, '{"message":"The warehouse did not answer."}');
});

Deno.test("the dashboard needs no more than an analyst's rights", async () => {
  await using platform = await loaded();
  const role = `viewer_${crypto.randomUUID().slice(0, 8)}`;
  const { client, settings } = platform.warehouse;
  await execute(
    client,
    `create role ${role} login password 'a-password' in role analyst`,
  );
  try {
    await using warehouse = new Warehouse(
      { ...settings, user: role, password: "a-password" },
      platform.context.resources.connect,
    );

    for (
      const name of [
        "counterparties",
        "batch",
        "batch_models",
        "batch_files",
      ] as const
    ) {
      assert.ok((await warehouse.askOnce(name, [1])).length > 0, name);
    }
    for (const name of ["sales", "purchases", "payments"] as const) {
      const rows = await warehouse.askOnce(name, [1, null, null, null]);
      assert.ok(rows.length > 0, name);
    }
    const none = (count: number) => Array(count).fill(null);
    for (
      const [name, filters] of [
        ["sales_rows", 9],
        ["purchase_rows", 8],
        ["payment_rows", 7],
      ] as const
    ) {
      const rows = await warehouse.ask(name, [1, ...none(filters), 10]);
      assert.ok(rows.length > 0, name);
    }
    assert.ok((await warehouse.ask("changes", [0, 1, 10])).length > 0);
    assert.ok((await warehouse.ask("freshness")).length > 0);
    assert.deepEqual(await warehouse.ask("batch_findings", [1]), []);
    for (const fact of ["sales order", "purchase order", "payment"]) {
      const versions = await warehouse.ask("fact_history", [fact, 1]);
      assert.ok(versions.length > 0, fact);
    }
    assert.ok((await warehouse.ask("batches", [10])).length > 0);
    assert.deepEqual(await warehouse.ask("verification"), []);
  } finally {
    await execute(client, `drop role ${role}`);
  }
});
