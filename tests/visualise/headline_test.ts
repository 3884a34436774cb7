import assert from "node:assert/strict";
import {
  batchShown,
  loaded,
  open,
  Served,
  testPage,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

const TODAY = new Date().toISOString().slice(0, 10);

/** Inserts a sales order of today. */
function insertedToday(id: number, unitsSold?: number): string {
  return insertOrder(id, unitsSold).replaceAll("2023-01-01", TODAY);
}

/** Inserts a sales order of a counterparty. */
function orderOf(party: number, id: number, units: number): string[] {
  return [
    insertOrder(id, units),
    `update sales_order set counterparty_id = ${party}
    where sales_order_id = ${id}`,
  ];
}

testPage(
  "of names whose figure now is not known, none rose or fell most",
  async () => {
    await using platform = await loaded();
    const { client } = platform.source;
    // Of twelve others, each more than what will be left of the first.
    const others = Array.from({ length: 12 }, (_, index) => index + 2);
    await execute(
      client,
      `insert into counterparty select id, 'Company ' || id, 1, null, null,
        now(), now() from generate_series(4, 13) as id`,
      ...others.flatMap((id) => [
        ...orderOf(id, 100 + id, 20),
        ...orderOf(id, 200 + id, 20),
      ]),
    );
    await platform.run();
    await execute(
      client,
      "delete from sales_order where sales_order_id in (2, 3)",
      "update sales_order set units_sold = 1, unit_price = 1 where sales_order_id = 1",
      "update sales_order set units_sold = 10 where sales_order_id = 102",
    );
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(
      `${await served.address}?at=2&period=all`,
    );
    await batchShown(page, 2);

    const largest = page.locator("[data-chart=counterparty] .row").first();
    // It fell by far more than the one that is known to have fallen.
    assert.match(
      await largest.innerText(),
      /^Company 1\s+£14.6k\s+[\d.]+%\s+of £[\d,]+$/,
    );
    assert.match(
      await page.locator("#headline").innerText(),
      /^Sales: ▼ [\d.]+% \(−£[\d.]+k\) since then\.$/,
    );
    assert.deepEqual(errors, []);
  },
);

testPage("the past is compared with the same period now", async () => {
  await using platform = await loaded();
  const { client } = platform.source;
  await execute(
    client,
    insertedToday(50, 400),
  );
  await platform.run();
  await execute(client, "delete from sales_order where sales_order_id = 50");
  await platform.run();
  await execute(client, insertedToday(51, 700));
  await platform.run();
  await using served = new Served(platform);
  const address = await served.address;
  const { page, errors } = await open(`${address}?at=1`);
  const texts = async () => [
    await page.locator("#headline").innerText(),
    (await page.locator("[data-card=sales]").innerText()).split("\n").at(-1),
  ];
  await batchShown(page, 1);
  const [headline, card] = await texts();
  await page.goto(`${address}?at=2`);
  await batchShown(page, 2);
  const recent = await texts();

  // All of then is compared with all of now, not with twelve months of it.
  assert.equal(headline, "Sales: ▲ 4.8% (+£700) since then.");
  assert.match(card ?? "", /^now £15.3k ▲ 4.8%$/);
  assert.deepEqual(recent, [
    "Sales: ▲ 75% (+£300) since then.",
    "now £700 ▲ 75%",
  ]);
  assert.deepEqual(errors, []);
});

testPage(
  "the past is not compared with now where that has no such period",
  async () => {
    await using platform = await loaded();
    const { client } = platform.source;
    await execute(
      client,
      insertedToday(50, 400),
    );
    await platform.run();
    await execute(client, "delete from sales_order where sales_order_id = 50");
    await platform.run();
    await using served = new Served(platform);
    const { page, errors } = await open(`${await served.address}?at=2`);
    await batchShown(page, 2);

    assert.equal(await page.locator("#headline").innerText(), "");
    const card = await page.locator("[data-card=sales]").innerText();
    assert.match(card, /£400\s+1 order$/);
    assert.deepEqual(errors, []);
  },
);

testPage(
  "a change is a share of what was more than nothing, and none of 0 %",
  async () => {
    await using platform = await loaded();
    const { client } = platform.source;
    const yearBefore = `${Number(TODAY.slice(0, 4)) - 1}-${
      TODAY.slice(5, 7)
    }-01`;
    const setUnits = async (now: number, was: number) => {
      await execute(
        client,
        `update sales_order set units_sold = ${now} where sales_order_id = 50`,
        `update sales_order set units_sold = ${was} where sales_order_id = 51`,
      );
      await platform.run();
    };
    await execute(
      client,
      insertedToday(50),
      insertOrder(51).replaceAll("2023-01-01", yearBefore),
    );
    await setUnits(50, -100);
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    const texts = async () =>
      [
        await page.locator("#headline").innerText(),
        ...(await page.locator("[data-card=sales]").innerText()).split("\n"),
        ...await page.locator("[data-chart=counterparty] .detail")
          .allInnerTexts(),
      ].filter((text) => text !== "");
    await batchShown(page, 2);
    const ofLess = await texts();
    await setUnits(1_000_001, 1_000_000);
    await batchShown(page, 3);
    const ofAlmostNothing = await texts();

    assert.deepEqual(ofLess, ["Sales", "£50", "1 order"]);
    assert.deepEqual(
      ofAlmostNothing,
      ["Sales", "£1m", "1 order", "0% on the year before", "0%"],
    );
    assert.deepEqual(errors, []);
  },
);

testPage(
  "a currency of the address counts for the past and for now",
  async () => {
    await using platform = await loaded();
    const { client } = platform.source;
    const inCurrency = (id: number, units: number, currency: number) => [
      insertOrder(id, units),
      `update sales_order set currency_id = ${currency}
      where sales_order_id = ${id}`,
    ];
    await execute(client, ...inCurrency(50, 100, 2));
    await platform.run();
    await execute(
      client,
      ...inCurrency(51, 50, 2),
      ...inCurrency(52, 300, 3),
    );
    await platform.run();
    await using served = new Served(platform);
    const address = await served.address;
    const of = async (currency: string) => {
      await page.goto(`${address}?at=2&period=all&currency=${currency}`);
      await batchShown(page, 2);
      return [
        await page.locator("#currency [aria-pressed=true]").innerText(),
        await page.locator("#headline").innerText(),
        (await page.locator("[data-card=sales]").innerText()).split("\n")
          .filter((line) => line !== "").slice(1),
      ];
    };
    const { page, errors } = await open(address);

    assert.deepEqual(await of("USD"), [
      "USD",
      "Sales: ▲ 50% (+US$50) since then.",
      ["US$100", "1 order", "now US$150 ▲ 50%"],
    ]);
    // There was none then, and there never was the other.
    assert.deepEqual(
      await of("EUR"),
      ["EUR", "", ["€0", "0 orders", "now €300"]],
    );
    assert.deepEqual(
      await of("XYZ"),
      ["XYZ", "", ["XYZ\u00a00", "0 orders", "now XYZ\u00a00"]],
    );
    assert.deepEqual(errors, []);
  },
);
