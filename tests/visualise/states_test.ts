import assert from "node:assert/strict";
import { extract } from "../../extract/extract.ts";
import { withFailureNote } from "../../lib/batches/failure_note.ts";
import { assertAccessibleEverywhere } from "../harness/browser/accessible.ts";
import {
  batchShown,
  loaded,
  open,
  openPage,
  Served,
  testPage,
  toggleTable,
} from "../harness/browser/dashboard.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import {
  dimensionSql,
  smallProject,
} from "../harness/companies/small_project.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

const PHONE = { width: 390, height: 844 };
const RENAMED = "alter table design rename to designs";

testPage(
  "before the first batch nothing is live, and the pipeline shows what fails",
  async () => {
    await using platform = await openPlatform();
    await using served = new Served(platform);
    const page = await openPage();
    await page.goto(`${await served.address}?view=pipeline`);
    const status = page.locator("#status");
    await status.getByText("No batch yet").waitFor();
    const nothing = await page.locator("[data-stage=extract]").innerText();
    await execute(platform.source.client, RENAMED);
    await assert.rejects(withFailureNote(platform.context, "extract", extract));
    await page.reload();
    await page.waitForSelector(".failure");
    const failure = await page.locator(".failure").innerText();
    const state = await status.getAttribute("data-state");
    await page.locator("#to-overview").click();
    await status.getByText("extract fails").waitFor();

    assert.match(nothing, /Nothing yet/);
    assert.match(failure, /There are none until it succeeds/);
    assert.equal(state, "stale");
    assert.equal(await page.locator("#machine").isVisible(), false);
  },
);

testPage(
  "a company without a fact is told that nothing is measured",
  async () => {
    const source = `create table shop (shop_id integer not null,
    name text not null, primary key (shop_id));`;
    await using platform = await openPlatform({
      sql: await smallProject({
        source,
        models: [{
          name: "dim_shop",
          key: ["shop_id"],
          sql: "select shop_id, name from changed.shop",
        }],
        warehouse: dimensionSql(
          "dim_shop",
          "shop_id integer primary key, name text",
        ),
      }),
      sourceSql: `${source} insert into shop values (1, 'a');`,
      warehouse: "empty",
    });
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);

    const cards = await page.locator("#cards").innerText();
    const large = await page.locator(".large").isVisible();
    await assertAccessibleEverywhere(page, "nothing measured");
    await page.locator("#to-changes").click();
    await page.waitForSelector("#changes-list table");

    assert.match(cards, /^Nothing is measured: no model is a fact, /);
    // Who looks at it has a page, and no files.
    assert.doesNotMatch(cards, /\.md/);
    assert.equal(large, false);
    assert.deepEqual(errors, []);
  },
);

testPage(
  "a name that is gone is nothing now, beside its figure of the past",
  async () => {
    await using platform = await openPlatform();
    const { client } = platform.source;
    await fillSmall(client);
    await execute(
      client,
      "update payment set payment_date = '2023-01-07' where payment_id = 5",
    );
    await platform.run();
    await execute(client, "update design set design_name = 'Steel'");
    await platform.run();
    await using served = new Served(platform);
    const address = await served.address;
    const { page, errors } = await open(`${address}?at=1&period=all`);
    const design = await page.locator("[data-chart=design] .row").innerText();
    const overdue = page.locator("[data-card=owed] .spark");
    const columns = await overdue.locator("rect").count();
    const lines = await overdue.locator("path").count();
    await page.goto(`${address}?counterparty=Nobody`);
    await batchShown(page, 2);

    // What is overdue by when it was due is no trend.
    assert.deepEqual([columns, lines], [3, 0]);
    assert.match(
      design,
      /^Wooden\s+£[\d.]+k\s+now £0 ▼ 100%\s+100%\s+of £[\d,]+$/,
    );
    // What matches nothing is said once, of the period that was asked for.
    assert.deepEqual(
      await page.locator("#overview .none:visible").allInnerTexts(),
      ["Sales: nothing matches these filters."],
    );
    assert.equal(
      await page.locator("#period [aria-pressed=true]").innerText(),
      "12 months",
    );
    assert.equal(await page.locator(".large h3").innerText(), "Sales by month");
    assert.deepEqual(errors, []);
  },
);

testPage("a phone shows what a change was and what it became", async () => {
  await using platform = await loaded();
  await execute(
    platform.source.client,
    "update sales_order set units_sold = 777 where sales_order_id = 1",
  );
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(`${await served.address}?view=changes`);
  await page.setViewportSize(PHONE);
  const change = page.locator("#changes-list tbody tr").first();
  for (const part of ["del", "ins"]) {
    const box = await change.locator(part).first().boundingBox();

    assert.ok(box !== null && box.width > 0 && box.x >= 0, part);
    assert.ok(box.x + box.width <= PHONE.width, `${part}: ${box.x}`);
  }
  assert.deepEqual(errors, []);
});

testPage(
  "stages are not up to date where extract has stopped, by the target",
  async () => {
    await using platform = await loaded();
    platform.set({ freshnessMinutesMax: 0.001 });
    await using served = new Served(platform);
    const { page } = await open(`${await served.address}?view=pipeline`);
    await page.waitForSelector("[data-state=idle]");
    await assertAccessibleEverywhere(page, "idle");
    const stage = async (name: string) =>
      await page.locator(`[data-stage=${name}]`).innerText();

    assert.match(
      await stage("extract"),
      /✗ No batch for [\d.]+ \w+[^]*Is \.\/totesys run, or the schedule, still on/,
    );
    assert.match(await stage("transform"), /Waits for extract/);
    assert.match(await stage("load"), /Waits for extract/);
  },
);

testPage(
  "how long a stage fails or is idle does not depend on the browser's clock",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const page = await openPage();
    await page.addInitScript(
      "const now = Date.now; Date.now = () => now() + 40 * 60_000",
    );
    await page.goto(`${await served.address}?view=pipeline`);
    const extracted = page.locator("[data-stage=extract]");
    await extracted.waitFor();
    const idle = await extracted.innerText();
    await execute(platform.source.client, RENAMED);
    await assert.rejects(withFailureNote(platform.context, "extract", extract));
    await page.reload();
    await page.waitForSelector(".failure");

    assert.match(idle, /✓ Up to date/);
    assert.match(
      await page.locator(".failure").innerText(),
      /has failed for [\d.]+ s\n/,
    );
  },
);

testPage(
  "what is on its way, and what there is not, look different",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const address = await served.address;
    const page = await openPage();
    let send = () => {};
    const sent = new Promise<void>((resolve) => send = resolve);
    await page.route("**/api/pipeline", async (route) => {
      await sent;
      await route.continue();
    });
    await page.goto(`${address}?view=pipeline`);
    await page.locator("#behind-text").getByText("behind the source").waitFor();
    const waiting = await page.locator(".stage.waiting").count();
    await assertAccessibleEverywhere(page, "on its way");
    send();
    await batchShown(page, 1);
    await page.waitForSelector("[data-stage=load]");
    const left = await page.locator(".stage.waiting").count();
    await page.goto(`${address}?view=batch&batch=77`);
    await page.locator("#problem").getByText(/nothing to show: batch 77/)
      .waitFor();
    await assertAccessibleEverywhere(page, "refused");

    assert.deepEqual([waiting, left], [3, 0]);
    assert.equal(
      await page.evaluate(
        `getComputedStyle(document.getElementById("batch-details"), "::before")
        .display`,
      ),
      "none",
    );
  },
);

testPage(
  "the bar stays on a phone, a table has its row, and paper says of when it is",
  async () => {
    await using platform = await loaded();
    await execute(platform.source.client, insertOrder(50, 1000));
    await platform.run();
    await using served = new Served(platform, { token: "a-token" });
    const address = await served.address;
    const page = await openPage();
    await page.setViewportSize(PHONE);
    await page.goto(`${address}?at=1`);
    const title = await page.locator("h1").boundingBox();
    await page.locator("input[name=token]").fill("a-token");
    await page.getByRole("button", { name: "Sign in" }).click();
    await batchShown(page, 1);
    const headline = await page.locator("#headline").innerText();
    await page.mouse.wheel(0, 3000);
    for (let tries = 0; tries < 100; tries++) {
      if (Number(await page.evaluate("scrollY")) > 500) break;
      await page.waitForTimeout(50);
    }
    const pill = await page.locator("#status").boundingBox();
    const nav = await page.locator("nav").boundingBox();
    for (const width of [320, 390, 650, 800, 1000, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      const needed = await page.evaluate(
        "document.documentElement.scrollWidth",
      );
      assert.equal(needed, width, "nothing of the past is beside the page");
    }
    await toggleTable(page, "counterparty");
    const card = await page.locator("[data-chart=counterparty]").boundingBox();
    const boards = await page.locator("#boards").boundingBox();
    await page.emulateMedia({ media: "print" });

    assert.equal(headline, "Sales: ▲ 6.9% (+£1k) since then.");
    assert.ok((title?.height ?? 0) > 10, "the company's name is shown");
    assert.ok(pill !== null && pill.y >= 0 && pill.y < 60, `${pill?.y}`);
    assert.ok(nav !== null && Math.abs(nav.y - pill.y) < 10, "in one row");
    assert.equal(card?.width, boards?.width);
    assert.ok(await page.locator("#as-of").isVisible());
    assert.match(await page.locator("#as-of").innerText(), /^as of \d/);
    assert.equal(await page.locator("nav").isVisible(), false);
  },
);
