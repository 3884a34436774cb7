import assert from "node:assert/strict";
import {
  open,
  openWarehouse,
  Served,
  testPage,
  withoutStream,
} from "../harness/browser/dashboard.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { Company } from "../../visualise/company.ts";
import { execute, openPlatform, PROJECT_SQL } from "../harness/platform.ts";

const TODAY = new Date().toISOString().slice(0, 10);
const SETTINGS = {
  order: ["sales", "purchases", "payments"],
  cards: {
    sales: { title: "Revenue", target: { atLeast: { GBP: 500, USD: 1 } } },
    owed: { target: { atMost: { GBP: 1000 } } },
    owing: { target: { atMost: { GBP: 1000 } } },
  },
  labels: { counterparty: "customer", orders: "contracts" },
  accent: { light: "#7a1fa2" },
};

testPage(
  "settings give cards titles and targets, and the page words and a colour",
  async () => {
    await using platform = await openPlatform({
      sql: { ...PROJECT_SQL, dashboardSettings: JSON.stringify(SETTINGS) },
    });
    await fillSmall(platform.source.client);
    await execute(
      platform.source.client,
      insertOrder(50, 400).replaceAll("2023-01-01", TODAY),
    );
    await platform.run();
    await using served = new Served(platform);
    const address = await served.address;
    const { page, errors } = await open(address);
    const targets = async (query = "") => {
      await page.goto(address + query);
      await page.waitForSelector("body[data-batch]");
      return await page.evaluate(
        `[...document.querySelectorAll("#cards .target")]
          .map((one) => [one.innerText, one.dataset.target])`,
      ) as string[][];
    };
    const ofAll = await targets();
    const card = await page.locator("[data-card=sales]").innerText();
    const board = await page.locator("[data-chart=counterparty] h3")
      .innerText();
    const colour = await page.evaluate(
      `getComputedStyle(document.querySelector("[aria-pressed=true]")).borderColor`,
    );

    assert.deepEqual(ofAll, [
      ["£100 under the target of £500", "false"],
      ["£500 over the target of £1k", "false"],
      ["✓ On target: at most £1k", "true"],
    ]);
    assert.match(card, /^Revenue\n£400\n1 contract\n/);
    assert.equal(board, "By customer");
    assert.equal(colour, "rgb(122, 31, 162)");
    // A target is of twelve months, or of any day, and of all records.
    assert.deepEqual(
      await targets("?period=all"),
      ofAll.slice(1),
    );
    assert.deepEqual(await targets("?currency=EUR"), []);
    assert.deepEqual(await targets("?counterparty=Company%201"), []);
    assert.deepEqual(await targets(`?from=${TODAY}&to=${TODAY}`), []);
    assert.deepEqual(errors, []);
  },
);

Deno.test("a dashboard without SQL of its own warns of a misspelt setting", async () => {
  const settings = {
    cards: { slaes: { title: "Revenue" } },
    labels: { countreparty: "customer" },
  };
  await using platform = await openPlatform({
    sql: {
      ...PROJECT_SQL,
      dashboard: [],
      dashboardSettings: JSON.stringify(settings),
    },
  });
  await fillSmall(platform.source.client);
  await platform.run();
  await using warehouse = openWarehouse(platform);
  const app = withoutStream(platform, warehouse);

  for (let time = 1; time <= 2; time++) await app.request("/api/company");

  const warned = platform.logged.filter((line) => line.startsWith("warning"));
  assert.match(
    warned[0] ?? "",
    /^warning: sql\/dashboard\/settings.json: no card is called slaes: there are .*sales/,
  );
  assert.deepEqual(warned.slice(1), [
    "warning: sql/dashboard/settings.json: no measure or dimension is called countreparty",
  ]);

  // Where a rebuild could go unnoticed, the columns are read again and again.
  const { sql, log } = platform.context;
  const company = new Company(sql, warehouse, log);
  const before = platform.logged.length;
  for (let time = 1; time <= 2; time++) {
    await company.subjects();
    company.forget();
  }
  assert.equal(platform.logged.length - before, warned.length);
});
