import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { withFailureNote } from "../../lib/batches/failure_note.ts";
import { query } from "../../lib/postgres/postgres.ts";
import type { StageState } from "../../visualise/live/stage_states.ts";
import { transform } from "../../transform/transform.ts";
import { assertAccessibleEverywhere } from "../harness/browser/accessible.ts";
import {
  batchShown,
  loaded,
  open,
  ordersShown,
  Served,
  testPage,
} from "../harness/browser/dashboard.ts";
import { execute, type Platform, PROJECT_SQL } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

const ROUND_DURATION = /^(0|\d+ (s|min|h|d))$/;

testPage("the axis of freshness has round steps at any age", async () => {
  await using platform = await loaded();
  for (const age of ["50 minutes", "3 days", "40 days"]) {
    await execute(
      platform.warehouse.client,
      `update pipeline.batch set snapshot_time = loaded_at - interval '${age}'`,
    );
    // A server keeps its answers until there is another batch.
    await using served = new Served(platform);
    const { page } = await open(`${await served.address}?view=pipeline`);
    await page.waitForSelector("[data-chart=freshness] .tick");

    const steps = await page.locator("[data-chart=freshness] .ticks .tick")
      .allInnerTexts();

    assert.ok(steps.length >= 2);
    for (const step of steps) assert.match(step, ROUND_DURATION);
    await page.close();
  }
});

testPage("a page knows no age by a snapshot of the future", async () => {
  await using platform = await loaded();
  await execute(
    platform.warehouse.client,
    "update pipeline.batch set snapshot_time = now() + interval '48 hours'",
  );
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);

  await page.getByText("Age unknown").waitFor();
  await page.locator("[data-view=pipeline]").click();
  await page.getByText(
    "is unknown: the newest snapshot's time is in the future",
  )
    .waitFor();

  assert.equal(
    await page.locator("#status").getAttribute("data-state"),
    "stale",
  );
  assert.deepEqual(errors, []);
  await page.close();
});

testPage(
  "the pipeline's view shows its stages, checks and the newest verification",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      insertOrder(50).replace("1.00, 1,", "1.00, 77,"),
    );
    await platform.run();
    await execute(
      platform.warehouse.client,
      `insert into pipeline.verification
      (batch, snapshot_time, model, place, rows, differences, first_keys)
    values (2, now(), 'dim_staff', 'lake', 4, 3, '2: missing'),
      (2, now(), 'dim_design', 'lake', null, 0, 'its file is gone')`,
    );
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    const none = await page.locator("#batches").innerText();
    await page.locator("[data-view=pipeline]").click();
    await page.waitForSelector("#batches table");
    await assertStages(page, platform);
    await assertChecks(page);
    await assertVerified(page);
    await page.locator("#checks tr.failing").getByRole("button", {
      name: "Findings: fact_sales_order__references_are_known",
    }).click();
    await page.waitForURL(/\?view=batch&batch=2$/);
    await page.goBack();
    await page.waitForSelector("#pipeline:not([hidden])");
    await assertAccessibleEverywhere(page, "a check found something");

    assert.equal(none, "");
    // The pill does not call live what a check doubts.
    assert.equal(
      await page.locator("#status-text").innerText(),
      "1 check fails",
    );
    assert.equal(
      await page.locator("#status").getAttribute("data-state"),
      "failing",
    );
    assert.equal(await page.locator("#machine").isVisible(), false);
    assert.equal(await page.locator("#problem").isVisible(), false);
    assert.deepEqual(errors, []);
  },
);

/** The stages and batches are shown as the two batches have run. */
async function assertStages(page: Page, { warehouse }: Platform) {
  const [ran] = await query(
    warehouse.client,
    "select sum(rows) as rows from pipeline.batch_file where batch = 2",
  );
  const stages = await page.locator("[data-stage]").allInnerTexts();
  for (const [index, stage] of ["Extract", "Transform", "Load"].entries()) {
    assert.match(
      stages[index] ?? "",
      new RegExp(
        `^${stage}\\s+✓ Up to date\\s+Batch 2, \\d\\d:\\d\\d\\s+Batch 2 took [\\d.]+ s, median [\\d.]+ s$`,
      ),
    );
  }
  const batches = await page.locator("#batches tbody tr").allInnerTexts();
  assert.equal(batches.length, 2);
  assert.match(
    batches[0] ?? "",
    new RegExp(`^2\\s[^]* s\\s+${ran?.rows}\\s+0\\s`),
  );
  assert.equal(
    await page.locator("[data-stage=load] .durations rect").count(),
    2,
  );
  assert.match(
    await page.locator("#batches .took").first().innerText(),
    /^[\d.]+ s\s*: extract [\d.]+ s, transform [\d.]+ s, load [\d.]+ s$/,
  );
  const steps = await page.locator("[data-chart=freshness] .ticks .tick")
    .allInnerTexts();
  assert.ok(steps.length >= 2);
  for (const step of steps) assert.match(step, ROUND_DURATION);
  assert.match(
    await page.locator("#behind").innerText(),
    /^[\d.]+ s\s+behind the source, within the target of 30 min$/,
  );
}

/** One check found something, and all that ran are listed. */
async function assertChecks(page: Page) {
  const failing = await page.locator("#checks tr.failing").allInnerTexts();
  await page.locator("#checks summary").click();
  const checks = await page.locator("#checks details tbody tr")
    .allInnerTexts();
  assert.match(
    await page.locator("#checks").innerText(),
    /^✗ 1 of \d+ found something/,
  );
  assert.equal(await page.locator("#strip a.well").count(), 1);
  assert.equal(await page.locator("#strip a.found").count(), 1);
  assert.match(
    checks[0] ?? "",
    /^fact_sales_order__references_are_known\s+\S.*\s+warning\s+2\s.*\s1\s+1$/,
  );
  // Which has the first keys as well, and leads to all findings.
  assert.deepEqual(
    failing.map((text) => text.trim().split(/\s+/).join(" ")),
    [`${checks[0]?.trim().split(/\s+/).join(" ")} 50 Findings`],
  );
  // Those that found nothing are told as well.
  const ofHistory = PROJECT_SQL.models.map(({ kind }) =>
    kind === "fact" ? 3 : 2
  );
  assert.equal(
    checks.length,
    PROJECT_SQL.checks.length + ofHistory.reduce((sum, one) => sum + one, 0),
  );
  assert.match(checks.at(-1) ?? "", /\s0\s+0$/);
}

/** The newest verification is shown with what it found. */
async function assertVerified(page: Page) {
  assert.match(
    await page.locator("#health").innerText(),
    /^Checks\s+\d+ of \d+ pass\s+Verified\s+\S+ sec ago, 3 differences\s+Quarantine\s+0 rows\s/,
  );
  const [first = "", second = ""] = await page.locator(
    "#verification tbody tr",
  ).allInnerTexts();
  assert.match(first, /^2\s.*\slake\s+dim_design\s+0\s+its file is gone$/);
  assert.match(second, /^2\s.*\slake\s+dim_staff\s+4\s+3\s+2: missing$/);
}

testPage(
  "the pipeline's view shows what waits for a stage, and why it fails",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const address = `${await served.address}?view=pipeline`;
    const { page, errors } = await open(address);
    const stage = (name: string) => page.locator(`[data-stage=${name}]`);
    await stage("load").getByText("✓ Up to date").waitFor();
    // Transform is stuck, and extract goes on.
    await execute(
      platform.source.client,
      "update payment set payment_date = 'never' where payment_id = 3",
    );
    await platform.extract();
    await execute(platform.source.client, insertOrder(50));
    await platform.extract();
    const strict = {
      ...platform.context,
      config: { ...platform.config, quarantineRowsMax: 0 },
    };
    await assert.rejects(withFailureNote(strict, "transform", transform));
    await page.reload();
    await stage("transform").getByText("✗ Fails at batch 2").waitFor();
    const failing = await page.locator(".failure").innerText();
    const cards = await page.locator(".stage .state").allInnerTexts();
    const growing = await page.locator("#behind").innerText();
    const behind = await stage("extract").innerText();
    await page.locator("[data-view=overview]").click();
    await batchShown(page, 1);
    const pill = await page.locator("#status-text").innerText();
    const stages = await fetch(`${await served.address}api/stages`);
    const found = await stages.json();
    await page.locator("[data-view=pipeline]").click();
    const answer = await fetch(`${await served.address}metrics`);
    const metrics = await answer.text();
    // Transform goes on, and nothing loads.
    await platform.transform();
    await page.reload();
    await stage("load").getByText("… 2 batches pending").waitFor();
    await platform.load();
    await batchShown(page, 3);
    await stage("load").getByText("✓ Up to date").waitFor();

    assert.match(
      failing,
      /^✗ Transform has failed for [\d.]+ s\s+At batch 2, since \d.*\s+Cannot read "payment": 1 row would be in quarantine/,
    );
    assert.match(
      failing,
      /What to do\s+Repair the rows in the source, or raise QUARANTINE_ROWS_MAX.*\s+Then run \.\/totesys pipeline, or wait for the next run\./,
    );
    assert.match(
      failing,
      /The figures\s+They stay those of \d.*, batch 1, \d+ sec ago\. 2 batches wait and will follow: nothing is lost\./,
    );
    assert.match(
      failing,
      /✓ Extract goes on: batch 3, \d\d:\d\d\s+… Load waits for transform, after batch 1, /,
    );
    assert.deepEqual(cards, [
      "✓ Up to date",
      "✗ Fails at batch 2",
      "… Waits for transform",
    ]);
    assert.match(
      growing,
      /behind the source and growing; the target is 30 min/,
    );
    assert.equal(pill, "Not updating: transform fails");
    assert.deepEqual(
      found.stages.map(({ failure }: StageState) => failure?.batch),
      [undefined, 2, undefined],
    );
    // It ends by itself, once nothing fails.
    assert.equal(await page.locator(".failure").count(), 0);
    await page.locator("[data-view=overview]").click();
    await page.locator("#status").getByText("Live").waitFor();
    assert.match(behind, /✓ Up to date\s+Batch 3, /);
    assert.match(metrics, /^pipeline_stage_failed\{stage="transform"\} 1$/m);
    assert.match(metrics, /^pipeline_pending_batches\{stage="transform"\} 2$/m);
    assert.match(metrics, /^pipeline_batch\{stage="load"\} 1$/m);
    assert.deepEqual(errors, []);
  },
);

testPage("a zone that can't be seen is not called well", async () => {
  await using platform = await loaded();
  platform.set({ ingestionUrl: "", processedUrl: "/nowhere/processed" });
  await using served = new Served(platform);
  const { page, errors } = await open(
    `${await served.address}?view=pipeline`,
  );
  const extract = await page.locator("[data-stage=extract]").innerText();
  const transform = await page.locator("[data-stage=transform]").innerText();
  const load = await page.locator("[data-stage=load]").innerText();
  await assertAccessibleEverywhere(page, "hidden zones");

  assert.match(
    extract,
    /\? Not visible from here\s+INGESTION_URL is not set here\./,
  );
  assert.match(
    transform,
    /\? Not visible from here\s+its zone is another one than the warehouse was/,
  );
  assert.match(load, /✓ Up to date\s+Batch 1, /);
  assert.deepEqual(errors, []);
});

testPage("a batch's page tells what it did to each model", async () => {
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
  // Of a currency that the source lacks, an order counts all the same.
  await ordersShown(page, 3);
  await page.locator("[data-currency=unknown]").click();
  await ordersShown(page, 1);
  await page.locator("[data-view=pipeline]").click();
  await page.waitForSelector("#batches table");
  await page.locator("#batches tbody tr").first()
    .getByRole("link").click();
  await page.waitForSelector("#batch-details table");
  const files = page.locator("#batch-view summary").first();
  await files.click();
  await page.locator("#batch-view summary").last().click();
  const details = await page.locator("#batch-view").innerText();
  const places = await page.evaluate(
    `[...document.querySelectorAll(".gantt rect")].map((bar) =>
      parseFloat(bar.getAttribute("x")))`,
  ) as number[];
  // It has an address of its own.
  await page.reload();
  await page.waitForSelector("#batch-details table");

  assert.match(details, /^Batch 2\n/);
  // One stage after the other; models without a change are only named.
  assert.equal(places.length, 3);
  assert.deepEqual(places, places.toSorted((a, b) => a - b));
  assert.match(details, /\nUnchanged: dim_counterparty, dim_currency, /);
  assert.match(details, /run id\s+\d{8}T\d{6}Z-/);
  assert.match(details, /fact_sales_order\s+sales_order\s+2\s+1\s/);
  assert.match(details, /references_are_known\s+warning\s+50\s/);
  assert.match(
    details,
    /fact_sales_order\s+fact_sales_order\/batch=000000002\/\S+\.parquet\s+2\s+[\d,]+\s+[0-9a-f]{64}/,
  );
  assert.match(details, /transformed at\s+\d/);
  assert.match(page.url(), /\?currency=unknown&view=batch&batch=2$/);
  assert.match(details, /extracted rows\s+2\s/);
  assert.match(details, /Batch 2\n+\d+ rows, of which 0 deletes; /);
  assert.equal(await page.title(), "Batch 2 · Totesys");
  assert.deepEqual(errors, []);
});

testPage(
  "a batch says how long ago it was, and to a reader or on paper when",
  async () => {
    await using platform = await loaded();
    await execute(platform.source.client, insertOrder(50));
    await platform.run();
    await execute(
      platform.warehouse.client,
      `update pipeline.batch set snapshot_time =
        now() - interval '12 minutes 10 seconds' where batch = 2`,
      `update pipeline.batch set snapshot_time =
        '2022-11-03 14:20:52+00' where batch = 1`,
    );
    await using served = new Served(platform);
    const { page, errors } = await open(
      `${await served.address}?view=pipeline`,
    );
    const times = page.locator("#batches time");
    await times.nth(1).waitFor();
    const [newest = "", old = ""] = await times.allInnerTexts();
    const title = await times.nth(1).getAttribute("title");
    await page.emulateMedia({ media: "print" });
    const printed = await times.nth(1).innerText();

    assert.match(newest, /^12 min ago\s+\d+ \w+ \d{4}, /);
    assert.match(old, /^\d+ (yr|yrs) ago\s+3 Nov 2022, 14:20:52 UTC$/);
    assert.equal(title, "3 Nov 2022, 14:20:52 UTC");
    assert.equal(printed.trim(), title);
    assert.deepEqual(errors, []);
  },
);

testPage("a time of another year has its year", async () => {
  await using platform = await loaded();
  const at = async (back: string) => {
    await execute(
      platform.warehouse.client,
      `update pipeline.batch set snapshot_time =
        now() - ${back} where batch = 1`,
    );
    await using served = new Served(platform);
    const { page } = await open(`${await served.address}?view=pipeline`);
    await page.waitForSelector("#strip a");
    return await page.locator("#strip a").getAttribute("title") ?? "";
  };

  assert.match(await at("interval '0'"), /^Batch 1, \d\d:\d\d ·/);
  const year = new Date().getUTCFullYear() - 1;
  assert.match(
    await at("interval '1 year'"),
    new RegExp(`^Batch 1, \\d+ \\w+ ${year}, \\d\\d:\\d\\d ·`),
  );
});

testPage(
  "an error check that holds a batch back leads to no batch",
  async () => {
    await using platform = await loaded();
    const { context, source } = platform;
    context.sql = {
      ...context.sql,
      checks: [...context.sql.checks, {
        name: "fact_sales_order__is_small",
        text: `-- Orders are small.
-- Severity: error
select sales_order_id as key, 'is large' as finding from fact_sales_order
where units_sold > 5000`,
      }],
    };
    await execute(
      source.client,
      insertOrder(50),
      "update sales_order set units_sold = 6000 where sales_order_id = 50",
    );
    await platform.extract();
    await platform.transform();
    await assert.rejects(platform.load(), /fact_sales_order__is_small/);
    await using served = new Served(platform);
    const { page, errors } = await open(
      `${await served.address}?view=pipeline`,
    );
    const row = page.locator("#checks tr.failing");
    await row.waitFor();

    assert.match(await row.innerText(), /^fact_sales_order__is_small\s/);
    assert.equal(await row.getByRole("button").count(), 0);
    assert.deepEqual(errors, []);
  },
);
