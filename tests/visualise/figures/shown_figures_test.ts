import assert from "node:assert/strict";
import {
  loaded,
  openWarehouse,
  withoutStream,
} from "../../harness/browser/dashboard.ts";
import {
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../../harness/platform.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";

type Rows = Record<string, string>[];

async function overviews(
  platform: Platform,
  queries: readonly string[],
  // deno-lint-ignore no-explicit-any
): Promise<any[]> {
  await using warehouse = openWarehouse(platform);
  const app = withoutStream(platform, warehouse);
  return await Promise.all(
    queries.map(async (query) =>
      await (await app.request(`http://localhost/api/overview/1?${query}`))
        .json()
    ),
  );
}

Deno.test("a page is sent its own part of the figures: one currency, one subject's lists", async () => {
  await using platform = await loaded();

  const [all, sales, purchases, noLists] = await overviews(platform, [
    "period=all",
    "period=all&lists=sales",
    "period=all&lists=purchases&currency=USD",
    "period=all&lists=",
  ]);
  const inUsd = (rows: Rows) =>
    rows.filter(({ currency }) => currency === "USD");

  assert.deepEqual(all.currencies, ["GBP", "USD"]);
  assert.equal(sales.currency, "GBP");
  assert.equal(purchases.currency, "USD");
  assert.deepEqual(purchases.currencies, all.currencies);
  assert.deepEqual(sales.figures.sales, all.figures.sales);
  assert.deepEqual(Object.keys(sales.figures.payments), ["ageing", "month"]);
  assert.deepEqual(Object.keys(noLists.figures.sales), ["month"]);
  assert.ok(purchases.figures.purchases.counterparty.length > 0);
  for (const [by, rows] of Object.entries<Rows>(purchases.figures.purchases)) {
    assert.deepEqual(rows, inUsd(all.figures.purchases[by]), by);
  }
});

Deno.test("currencies without figures share one answer, which has their months empty", async () => {
  await using platform = await loaded();

  const [first, other, known] = await overviews(platform, [
    "period=all&lists=sales&currency=EUR",
    "period=all&lists=sales&currency=made%20up",
    "period=all&lists=sales&currency=GBP",
  ]);

  assert.deepEqual(first, other);
  assert.equal(first.currency, "");
  assert.deepEqual(first.currencies, ["GBP", "USD"]);
  assert.deepEqual(first.figures.sales.month, []);
  assert.equal(known.figures.sales.month.length, 1);
});

Deno.test("a part of the figures that there can't be is refused", async () => {
  await using platform = await loaded();

  const refused = await overviews(platform, [
    "lists=nothing",
    "lists=none&currency=GBP",
    `lists=sales&currency=${"x".repeat(65)}`,
    "currency=GBP",
  ]);

  assert.deepEqual(refused.map(({ message }) => message), [
    '"nothing" is not a subject',
    '"none" is not a subject',
    `"${"x".repeat(40)}" is not a currency: up to 64 characters`,
    "currency needs lists: a subject, or empty for none",
  ]);
});

Deno.test("a dimension called currency is a list like others where no measure is money", async () => {
  const sales = PROJECT_SQL.dashboard.find(({ name }) => name === "sales");
  const text = sales?.text.replace(
    "value: money by currency, more is good",
    "value: number",
  );
  await using platform = await openPlatform({
    sql: {
      ...PROJECT_SQL,
      dashboardSettings: undefined,
      dashboard: [{ name: "sales", text: text ?? "" }],
    },
  });
  await fillSmall(platform.source.client);
  await platform.run();

  const [shown, filtered] = await overviews(platform, [
    "period=all&lists=sales",
    "period=all&currency=EUR",
  ]);

  assert.deepEqual(shown.currencies, []);
  assert.deepEqual(
    shown.figures.sales.currency.map((row: Rows[0]) => row.currency),
    ["GBP"],
  );
  // It filters, as others do.
  assert.deepEqual(filtered.figures.sales, {});
});
