import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { query } from "../../lib/postgres/postgres.ts";
import {
  batchShown,
  card,
  choose,
  closeBrowser,
  counted,
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

/** Lets the page fetch what it needs to pass by moments. */
async function prepareTrails(page: Page): Promise<void> {
  await page.evaluate(
    `import("./scrub.js").then(({ prepareTrails }) => prepareTrails())`,
  );
}

/** Presses the pointer at a place of the strip, from 0 to 1. */
async function pressStrip(page: Page, place: number): Promise<void> {
  const box = await page.locator("#track").boundingBox();
  if (box === null) throw new Error("there is no strip");
  await page.mouse.move(box.x + box.width * place, box.y + 10);
  await page.mouse.down();
}

testPage(
  "the strip shows what it passes by at once, and stays there",
  async () => {
    await using platform = await loaded();
    for (const id of [50, 51, 52]) {
      await execute(platform.source.client, insertOrder(id, 9000));
      await platform.run();
    }
    await using served = new Served(platform);
    const { page, errors } = await open(`${await served.address}?period=all`);
    await batchShown(page, 4);
    await page.locator("#track").hover();
    const value = async () => await card(page, "sales");
    const now = await value();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.waitForTimeout(500);
    await page.route("**/api/overview/*", (route) => route.abort());
    await pressStrip(page, 0.01);
    await page.waitForFunction(
      `document.querySelector("#batch").textContent === "1"`,
    );
    const passed = await value();
    const count = await counted(page, "sales");
    const address = page.url();
    await page.unroute("**/api/overview/*");
    const overviews = asked.filter((one) => one.includes("/api/overview/"));
    await page.mouse.up();
    await batchShown(page, 1);
    await page.waitForSelector("#main[aria-busy=false]");
    const stayed = await value();
    const compared = await page.locator("[data-card=sales]").innerText();
    const board = await page.locator("[data-chart=counterparty] .detail")
      .first().innerText();

    // Without a question to the server, and as it answers.
    assert.deepEqual(overviews, []);
    assert.equal(count, "3");
    assert.equal(passed, stayed);
    assert.notEqual(passed, now);
    assert.doesNotMatch(address, /at=/);
    assert.match(page.url(), /[?&]at=1$/);
    assert.match(compared, /now \S+ ▲ /);
    assert.match(board, /now \S+/);
    // The keyboard moves by one batch.
    await page.locator("#slider").focus();
    await page.keyboard.press("ArrowRight");
    await batchShown(page, 2);
    assert.match(
      String(await propertyOf(page, "#slider", "ariaValueText")),
      /^batch 2 as of \d/,
    );
    assert.deepEqual(errors, []);
  },
);

testPage("the chart stays in its place while moments pass by", async () => {
  await using platform = await loaded();
  for (const id of [50, 51]) {
    await execute(platform.source.client, insertOrder(id, 9000));
    await platform.run();
  }
  await using served = new Served(platform);
  const { page, errors } = await open(
    `${await served.address}?period=all&at=2`,
  );
  await batchShown(page, 2);
  await prepareTrails(page);
  const headline = page.locator("#headline");
  const top = async () =>
    Math.round((await page.locator("#chart").boundingBox())?.y ?? 0);
  const before = await top();
  const said = await headline.innerText();
  await pressStrip(page, 0.01);
  await page.waitForSelector("body.passing");
  const passed = [await top(), await headline.isVisible()];
  await page.mouse.up();
  await batchShown(page, 1);
  const after = [await top(), await headline.isVisible()];

  assert.match(said, /since then\.$/);
  assert.deepEqual(passed, [before, false]);
  assert.deepEqual(after, [before, true]);
  assert.deepEqual(errors, []);
});

testPage("what is passed by has the currency just chosen", async () => {
  await using platform = await loaded();
  await execute(
    platform.source.client,
    "update sales_order set currency_id = 2 where sales_order_id = 3",
  );
  await platform.run();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(`${await served.address}?period=all`);
  await batchShown(page, 3);
  await prepareTrails(page);
  const late = Promise.withResolvers<void>();
  await page.route("**/api/overview/*", async (route) => {
    await late.promise;
    await route.continue().catch(() => {});
  });
  await page.locator("[data-currency=USD]").click();
  await pressStrip(page, 0.5);
  await page.waitForFunction(
    `document.querySelector("#batch").textContent !== "3"`,
  );
  const passed = [
    await page.locator("#currency [aria-pressed=true]").innerText(),
    await page.locator("[data-card=sales] .card-value").innerText(),
  ];
  late.resolve();
  await page.mouse.up();

  assert.equal(passed[0], "USD");
  assert.match(passed[1] ?? "", /^US\$/);
  assert.deepEqual(errors, []);
});

/** Waits until the strip has this many columns. */
async function columnsAre(page: Page, count: number): Promise<void> {
  await page.waitForSelector(
    `#strip-over-time rect:nth-child(${count}):last-child`,
    { state: "attached" },
  );
}

testPage("the strip shows a shorter period, which has an address", async () => {
  await using platform = await loaded();
  await execute(
    platform.warehouse.client,
    `insert into pipeline.batch select batch,
      now() - (450 - batch) * interval '15 min',
      now() - (450 - batch) * interval '15 min' + case batch
        when 449 then interval '2 hours' else interval '1 second' end,
      run_id, input_sha256, 1, 0, transform_hash, lake_id
    from (select run_id, input_sha256, transform_hash, lake_id
      from pipeline.batch where batch = 1) as model
    cross join generate_series(2, 450) as batch`,
    `update pipeline.batch set snapshot_time = now() - interval '450 min' * 15
      where batch = 1`,
    `insert into pipeline.finding (batch, check_name, severity, key, finding)
      values (447, 'a', 'warning', '{}', '')`,
  );
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 450);
  const columns = (look = "") => page.locator(`#strip-over-time rect${look}`);
  await columns().first().waitFor({ state: "attached" });
  const all = await columns().count();
  await page.locator("#track").hover();
  const box = await page.locator("#track").boundingBox();
  assert.ok(box !== null);
  await page.mouse.move(box.x + box.width - 2, box.y + 10);
  for (let turn = 0; turn < 12; turn++) await page.mouse.wheel(0, -100);
  // Each batch for itself, from the server.
  await columns().nth(20).waitFor({ state: "attached" });
  assert.deepEqual([
    await columns(".found").count(),
    await columns(".late").count(),
  ], [1, 1]);
  const wheeled = await columns().count();
  const address = page.url();
  await page.reload();
  await batchShown(page, 450);
  await columnsAre(page, wheeled);
  await pressStrip(page, 0.5);
  await page.mouse.up();
  await page.waitForURL(/at=4\d\d/);
  const stayed = new URL(page.url()).searchParams;
  await page.keyboard.press("Escape");
  for (let turn = 0; turn < 6; turn++) await page.keyboard.press("-");
  await columnsAre(page, all);
  const whole = page.url();
  await page.keyboard.down("Shift");
  await pressStrip(page, 0.25);
  await page.mouse.move(box.x + box.width * 0.5, box.y + 10);
  await page.mouse.up();
  await page.keyboard.up("Shift");
  await page.waitForURL(/strip=/);
  const [from, to] = (new URL(page.url()).searchParams.get("strip") ?? "")
    .split("..").map(Date.parse);
  await page.locator("#zoom-out").click();

  assert.equal(all, 113);
  assert.ok(wheeled > 10 && wheeled < 60, `${wheeled} columns`);
  assert.match(new URL(address).searchParams.get("strip") ?? "", /Z\.\.$/);
  assert.equal(stayed.get("strip"), new URL(address).searchParams.get("strip"));
  assert.doesNotMatch(whole, /strip=/);
  const days = ((to ?? 0) - (from ?? 0)) / 86_400_000;
  assert.ok(days > 1 && days < 1.4, `${days} days of 4.7`);
  assert.equal(await page.evaluate("document.body.dataset.batch"), "450");
  assert.deepEqual(errors, []);
});

testPage("play goes from a moment to now", async () => {
  await using platform = await loaded();
  for (const id of [50, 51, 52]) {
    await execute(platform.source.client, insertOrder(id));
    await platform.run();
  }
  await using served = new Served(platform);
  const { page, errors } = await open(
    `${await served.address}?period=all&at=1`,
  );
  await batchShown(page, 1);
  await page.evaluate(`{
    window.passed = [];
    new MutationObserver(() => {
      const text = document.querySelector("#batch").textContent + ": " +
        document.querySelector("[data-card=sales] b").textContent;
      if (window.passed.at(-1) !== text) window.passed.push(text);
    }).observe(document.body, { subtree: true, childList: true });
  }`);
  await page.locator("#play").click();
  await batchShown(page, 4);
  await page.waitForSelector("#play:has-text('Play')");
  const passed = await page.evaluate("window.passed") as string[];

  for (const moment of ["2: 4", "3: 5", "4: 6"]) {
    assert.ok(passed.includes(moment), `${moment} in ${passed.join("; ")}`);
  }
  assert.doesNotMatch(page.url(), /at=/);
  await ordersShown(page, 6);
  assert.deepEqual(errors, []);
});

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
  await moment.fill(daysAgo(3));
  await moment.press("Enter");
  await page.locator("#moment:invalid").waitFor();
  const said = await propertyOf(page, "#moment", "validationMessage");

  assert.match(address, /\?at=1$/);
  assert.equal(said, "No batch was taken by then.");
  assert.equal(await page.evaluate("document.body.dataset.batch"), "1");
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

testPage("what changed is told over several batches, too", async () => {
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

  assert.match(last, /sales order 700\s+deleted/);
  assert.doesNotMatch(last, /sales order 1\s/);
  // From one state to the other: what came and went in between is neither.
  assert.match(since, /sales order 1\s+updated\s+units sold\s+1,000\s+800/);
  assert.match(since, /sales order 800\s+added/);
  assert.doesNotMatch(since, /sales order 700\s/);
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
