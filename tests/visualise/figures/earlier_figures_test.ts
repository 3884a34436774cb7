import assert from "node:assert/strict";
import {
  batchShown,
  loaded,
  open,
  openWarehouse,
  Served,
  testPage,
  withoutStream,
} from "../../harness/browser/dashboard.ts";
import { execute, type Platform } from "../../harness/platform.ts";

/** A day so many days ago. */
function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
}

/** A payment of counterparty 2 that is due on a day. */
function owedFrom(id: number, amount: number, due: string): string {
  return `insert into payment select ${id}, created_at, last_updated,
    transaction_id, 2, ${amount}, 1, 1, false, '${due}', 1, 2
  from payment where payment_id = 1`;
}

/** Dates the snapshot of a batch back. */
async function takenDaysAgo(
  { warehouse }: Platform,
  batch: number,
  days: number,
): Promise<void> {
  await execute(
    warehouse.client,
    `update pipeline.batch set snapshot_time = now() - interval '${days} days'
    where batch = ${batch}`,
  );
}

/**
 * Three batches, 40, 4 and 0 days old. 1,500.15 is late in the first, of which
 * 500.05 is paid in the last; 200 was due 20 days ago.
 */
async function threeBatches(): Promise<Platform> {
  const platform = await loaded();
  const { client } = platform.source;
  await execute(client, owedFrom(50, 200, daysAgo(20)));
  await platform.run();
  await execute(client, "update payment set paid = true where payment_id = 5");
  await platform.run();
  await takenDaysAgo(platform, 1, 40);
  await takenDaysAgo(platform, 2, 4.01);
  return platform;
}

Deno.test("what is stacked by state is compared with an earlier batch, by its day", async () => {
  await using platform = await threeBatches();
  await using warehouse = openWarehouse(platform);
  const app = withoutStream(platform, warehouse);
  const read = async (batch: number, query = "") => {
    const answer = await app.request(
      `http://localhost/api/overview/${batch}?lists=payments${query}`,
    );
    const { earlier, before } = await answer.json();
    if (earlier === null) return null;
    assert.deepEqual(Object.keys(earlier.figures), ["payments"]);
    const late = earlier.figures.payments.month
      .filter(({ state }: Record<string, string>) => state === "overdue")
      .reduce(
        (sum: number, { value }: Record<string, string>) => sum + Number(value),
        0,
      );
    return [earlier.batch, late, before?.figures.payments];
  };

  // A month before, as there is no batch of a year before.
  assert.deepEqual(await read(3), [1, 1500.15, undefined]);
  // What was due 20 days ago was late 4 days ago.
  await takenDaysAgo(platform, 1, 5);
  await using again = openWarehouse(platform);
  const later = withoutStream(platform, again);
  const answer = await later.request("http://localhost/api/overview/3?lists=");
  assert.equal((await answer.json()).earlier.batch, 2);
  // Nothing is known of before the first batch.
  assert.equal(await read(1), null);
});

Deno.test("chosen days are compared with as many before, as those stood then", async () => {
  await using platform = await threeBatches();
  await using warehouse = openWarehouse(platform);
  const app = withoutStream(platform, warehouse);
  const read = async (from: string, to: string) => {
    const answer = await app.request(
      `http://localhost/api/overview/3?from=${from}&to=${to}`,
    );
    const { earlier } = await answer.json();
    return earlier && [
      earlier.batch,
      earlier.figures.payments.month?.map((
        { state, value }: Record<string, string>,
      ) => [state, value]),
    ];
  };

  // No batch is of five days ago, or of the day before.
  assert.equal(await read(daysAgo(19), daysAgo(15)), null);
  // Four days before, and as of four days ago.
  assert.deepEqual(
    await read(daysAgo(19), daysAgo(16)),
    [2, [["overdue", "200.00"]]],
  );
  assert.equal(await read("0001-01-01", "9999-12-31"), null);
});

testPage(
  "cards of what is stacked by state say how it changed, and that less is good",
  async () => {
    await using platform = await threeBatches();
    await using served = new Served(platform);
    const { page, errors } = await open(
      `${await served.address}?measure=owed`,
    );
    await batchShown(page, 3);
    const card = page.locator("[data-card=owed]");
    const change = card.locator(".change");
    const of = async (batch: number) => {
      await page.goto(`${await served.address}?measure=owed&at=${batch}`);
      await batchShown(page, batch);
      return await card.locator(".card-detail").last().innerText();
    };

    assert.match(
      await card.innerText(),
      /^Owed to us, overdue\n£1.2k\n[^]*▼ 20% since \d+ \w+( \d+)?\n/,
    );
    assert.match(await change.getAttribute("class") ?? "", /\bwell\b/);
    assert.match(
      await page.locator("#headline").innerText(),
      /^Owed to us, overdue: ▼ 20% \(−£300\) since [\w ]+\. Of those below, Company 2 rose most \(\+£200\), and Company 1 fell most \(−£500\)\.$/,
    );
    assert.equal(
      await page.locator("[data-chart=month] [data-series='a year before']")
        .count(),
      0,
    );
    // The past is compared with now alone.
    assert.equal(await of(2), "now £1.2k ▼ 29.4%");
    assert.deepEqual(errors, []);
  },
);
