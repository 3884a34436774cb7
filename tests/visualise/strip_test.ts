import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import {
  batchShown,
  card,
  counted,
  loaded,
  open,
  ordersShown,
  propertyOf,
  Served,
  testPage,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

/** Lets the page fetch what it needs to pass by moments. */
async function prepareTrails(page: Page): Promise<void> {
  await page.evaluate(
    `import("./preview.js").then(({ prepareTrails }) => prepareTrails())`,
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

testPage(
  "a phone says of when it is what passes by, and nothing moves",
  async () => {
    await using platform = await loaded();
    await execute(platform.source.client, insertOrder(50, 9000));
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(`${await served.address}?period=all`);
    await page.setViewportSize({ width: 390, height: 844 });
    await batchShown(page, 2);
    await prepareTrails(page);
    const top = async () =>
      Math.round((await page.locator("#cards").boundingBox())?.y ?? 0);
    const before = await top();
    await pressStrip(page, 0.01);
    await page.waitForSelector("body.passing");
    const passed = await top();
    const said = page.locator("#as-of");

    assert.equal(await said.isVisible(), true);
    assert.match(await said.innerText(), /^as of \d/);
    assert.equal(passed, before);
    assert.deepEqual(errors, []);
  },
);

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
