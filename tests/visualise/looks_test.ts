import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { extract } from "../../extract/extract.ts";
import { withFailureNote } from "../../lib/batches/failure_note.ts";
import {
  assertAccessible,
  assertAccessibleEverywhere,
} from "../harness/browser/accessible.ts";
import {
  batchShown,
  loaded,
  open,
  openPage,
  propertyOf,
  Served,
  testPage,
  toggleTable,
} from "../harness/browser/dashboard.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

const TOKEN = "a-token-of-the-tests";

testPage(
  "axe finds no serious fault on a phone and a wall, light and dark",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      insertOrder(50),
      "update sales_order set units_sold = 777 where sales_order_id = 1",
      "delete from payment where payment_id = 5",
    );
    await platform.run();
    await using served = new Served(platform);
    const address = await served.address;
    const { page } = await open(address);
    await toggleTable(page, "month");
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [390, 2560]) {
        const at = `${colorScheme}, ${width}`;
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        await goTo(page, "overview");
        await assertAccessible(page, `overview, ${at}`);
        await page.locator("[data-chart=month]")
          .getByRole("button", { name: "Rows" }).first().click();
        await page.waitForSelector("#rows[open] table");
        await assertAccessible(page, `rows, ${at}`);
        await page.keyboard.press("Escape");
        await goTo(page, "changes");
        await assertAccessible(page, `changes, ${at}`);
        await page.locator("#to-record").click();
        await page.locator("#record-key").fill("1");
        await page.locator("#record-form button").click();
        await page.waitForSelector("#history li");
        await assertAccessible(page, `record, ${at}`);
        await goTo(page, "pipeline");
        await assertAccessible(page, `pipeline, ${at}`);
        await page.locator("#batches").getByRole("link").first().click();
        await page.waitForSelector("#batch-details table");
        await assertAccessible(page, `batch, ${at}`);
        await page.goto(`${address}?at=1&measure=owed`);
        await batchShown(page, 1);
        await page.locator("#filters summary").click();
        await assertAccessible(page, `past, ${at}`);
        await page.keyboard.press("?");
        await assertAccessible(page, `help, ${at}`);
        await page.keyboard.press("Escape");
        await page.locator("#now").click();
        await batchShown(page, 2);
        await page.locator("[data-card=sales]").click();
        await toggleTable(page, "month");
      }
    }
  },
);

testPage(
  "axe finds no serious fault where a stage fails",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      "alter table design rename to designs",
    );
    await assert.rejects(withFailureNote(platform.context, "extract", extract));
    await using served = new Served(platform);
    const { page } = await open(await served.address);
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [390, 1440, 2560]) {
        const at = `${colorScheme}, ${width}`;
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        await goTo(page, "pipeline");
        await page.waitForSelector(".failure");
        await assertAccessible(page, `pipeline, ${at}`);
        await goTo(page, "overview");
        await page.locator("#status").getByText("extract fails").waitFor();
        await assertAccessible(page, `overview, ${at}`);
      }
    }
  },
);

testPage(
  "a warehouse without a batch is empty, until the first is there",
  async () => {
    await using platform = await openPlatform();
    await using served = new Served(platform);
    const page = await openPage();
    await page.goto(await served.address);
    await page.locator("#empty").getByText("No batch is loaded yet.").waitFor();
    await assertAccessible(page, "empty");
    await fillSmall(platform.source.client);
    await platform.run();
    await batchShown(page, 1);

    assert.equal(await page.locator("#empty").isVisible(), false);
  },
);

testPage(
  "the keyboard leads through a view, and stays where it is",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const { page, errors } = await open(
      `${await served.address}?view=pipeline`,
    );
    const focused = () =>
      page.evaluate(
        `[document.activeElement.id, document.activeElement.getAttribute("aria-label")]`,
      );
    await page.waitForSelector("#batches table");
    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    assert.deepEqual(await focused(), ["main", null]);
    assert.match(page.url(), /\?view=pipeline$/);
    await page.locator("#batches").getByRole("link").first().focus();
    const [, name] = await focused() as string[];
    await execute(platform.source.client, insertOrder(50));
    await platform.run();
    await page.locator("#batches tbody tr").nth(1).waitFor();
    assert.deepEqual(await focused(), ["", name]);
    await page.locator("[data-view=overview]").click();
    await batchShown(page, 2);
    await toggleTable(page, "month");
    await page.locator("[data-chart=month]")
      .getByRole("button", { name: "Rows" }).first().click();
    await page.locator("#rows[open]").getByRole("button", { name: "History" })
      .first().click();
    await page.waitForSelector("#history li");
    assert.deepEqual(await focused(), ["record-title", null]);
    assert.deepEqual(errors, []);
  },
);

testPage(
  "an address that makes no sense is answered, and a later one shown",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const page = await openPage();
    await page.goto(`${await served.address}?view=record&record=payment/%25`);
    await page.locator("#problem").getByText('"%" is not a part of a key')
      .waitFor();
    await page.waitForSelector(".status[data-state=live]");
    await page.goto(`${await served.address}?view=batch&batch=999`);
    await page.locator("#problem").getByText(
      "batch 999 is not in the warehouse",
    )
      .waitFor();
    await page.goto(`${await served.address}?view=batch&batch=1`);
    await page.waitForSelector("#batch-details table");

    assert.equal(await page.locator("#problem").isVisible(), false);
    assert.equal(await page.locator("#batch-title").innerText(), "Batch 1");
  },
);

testPage("keys lead to the views, and through the batches", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  const press = async (key: string, address: RegExp) => {
    await page.keyboard.press(key);
    await page.waitForURL(address);
  };
  await press("[", /\?at=1$/);
  await batchShown(page, 1);
  await press("2", /\?at=1&view=changes$/);
  await press("Escape", /\?view=changes$/);
  await press("3", /\?view=pipeline$/);
  await press("1", /\/$/);
  await page.keyboard.press("/");
  assert.equal(await propertyOf(page, ":focus", "id"), "name");
  // In a field, it is a letter.
  await page.keyboard.type("1");
  assert.equal(await propertyOf(page, "#name", "value"), "1");
  await page.goBack();
  await page.waitForURL(/\?view=pipeline$/);
  await page.waitForSelector("#pipeline:not([hidden])");

  assert.equal(await page.title(), "Pipeline · Totesys");
  assert.deepEqual(errors, []);
});

testPage("a screen on a wall has no bar, and says how things are", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  await using served = new Served(platform);
  const { page, errors } = await open(`${await served.address}?wall=1&at=1`);
  await batchShown(page, 1);
  const seen = async () =>
    await Promise.all(
      ["nav", "#machine", "#status"].map((one) =>
        page.locator(one).isVisible()
      ),
    );
  const onWall = await seen();
  const pill = await page.locator("#status").innerText();
  await assertAccessibleEverywhere(page, "a wall");
  // Where it leads, it stays.
  await page.locator("#status").click();
  await page.waitForSelector("#batches table");
  const address = page.url();
  const later = await seen();
  await page.keyboard.press("Escape");
  await page.waitForURL(/\?at=1&view=pipeline$/);
  const left = await page.locator("nav").isVisible();
  await page.keyboard.press("1");
  await page.keyboard.press("w");
  await page.waitForURL(/\?at=1&wall=1$/);
  await page.keyboard.press("w");
  await page.waitForURL(/\?at=1$/);

  assert.deepEqual(onWall, [false, false, true]);
  assert.match(pill, /^Past\s+batch 1$/);
  assert.match(address, /\?wall=1&at=1&view=pipeline$/);
  assert.deepEqual(later, [false, false, true]);
  assert.equal(left, true);
  assert.deepEqual(await seen(), [true, true, true]);
  assert.deepEqual(errors, []);
});

testPage("people sign in by a form, once, and can sign out", async () => {
  await using platform = await loaded();
  await using served = new Served(platform, { token: TOKEN });
  const page = await openPage();
  const address = `${await served.address}?view=record&record=sales-order/1`;
  await page.goto(address);
  await page.locator("input[name=token]").fill("a-wrong-one");
  await page.getByRole("button", { name: "Sign in" }).click();
  const refused = await page.getByRole("alert").innerText();
  await assertAccessible(page, "sign-in");
  await page.emulateMedia({ colorScheme: "dark" });
  await assertAccessible(page, "sign-in, dark");
  await page.locator("input[name=token]").fill(TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await batchShown(page, 1);
  await page.waitForSelector(".status[data-state=live]");
  const [cookie] = await page.context().cookies();
  await page.waitForSelector("#history li");

  // It goes on to what was asked for.
  assert.equal(decodeURIComponent(page.url()), address);
  assert.equal(refused, "That is not the token.");
  assert.equal(cookie?.httpOnly, true);
  assert.equal(cookie?.sameSite, "Strict");
  assert.ok(!cookie?.value.includes(TOKEN));
  await page.reload();
  await batchShown(page, 1);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.locator("input[name=token]").waitFor();
  assert.deepEqual(await page.context().cookies(), []);
  await page.goto(address);
  await page.locator("input[name=token]").waitFor();
});

testPage("the names of a chart's scale stand beside it", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const { page } = await open(await served.address);
  for (const width of [390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    const [right, left] = await page.evaluate(`[
      Math.max(...[...document.querySelectorAll(".plot .tick")]
        .map((tick) => tick.getBoundingClientRect().right)),
      document.querySelector(".plot .area").getBoundingClientRect().left,
    ]`) as [number, number];

    assert.ok(right > 0 && right < left, `${width}: ${right} and ${left}`);
  }
});

async function goTo(page: Page, view: string): Promise<void> {
  await page.locator(`[data-view=${view}]`).click();
  await page.waitForSelector(`#${view}:not([hidden])`);
  await page.waitForSelector("#main[aria-busy=false]");
}
