import assert from "node:assert/strict";
import {
  batchShown,
  closeBrowser,
  loaded,
  open,
  Served,
  testPage,
} from "../harness/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/small_source.ts";

Deno.test.afterAll(closeBrowser);

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
    assert.match(await largest.innerText(), /^Company 1\s+£14.6k$/);
    assert.match(
      await page.locator("#headline").innerText(),
      /^Sales: ▼ [\d.]+% \(−£[\d.]+k\) since then\.$/,
    );
    assert.deepEqual(errors, []);
  },
);
