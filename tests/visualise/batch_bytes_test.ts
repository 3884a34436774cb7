import assert from "node:assert/strict";
import type { Page, Request } from "playwright-core";
import {
  batchShown,
  loaded,
  open,
  Served,
  testPage,
} from "../harness/browser/dashboard.ts";
import { execute, type Platform } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

const BYTES_MAX = 10_000;
/** One for each answer, and some for what is written in between. */
const LAYOUTS_MAX = 8;
/** Of two batches a column, nearly as many as the strip has. */
const BATCHES = 390;
/** One more than the strip has columns for. */
const HALVED = 401;

/** Batches as the ledger has them, with times and rows of every size. */
const batchesSql = (from: number, to: number) =>
  `insert into pipeline.batch select batch,
    now() - (${HALVED} - batch + random()) * interval '1 min',
    now() - (${HALVED} - batch - random()) * interval '1 min',
    run_id, input_sha256, 5000 * random(), 0, transform_hash, lake_id
  from (select run_id, input_sha256, transform_hash, lake_id
    from pipeline.batch where batch = 1) as model
  cross join generate_series(${from}, ${to}) as batch`;

async function load(platform: Platform, from: number, to: number) {
  await execute(
    platform.warehouse.client,
    batchesSql(from, to),
    `select pg_notify('pipeline_batch', '${to}')`,
  );
}

/** The places and sizes of the strip's columns. */
async function strip(page: Page): Promise<string> {
  return await page.locator("#strip-over-time").innerHTML();
}

/** What the strip shows once the page has asked for all of it. */
async function stripAsked(page: Page, batch: number): Promise<string> {
  await page.reload();
  await batchShown(page, batch);
  return await strip(page);
}

testPage(
  "a batch costs an open page under 10 KB, and of the strip only what is new",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.warehouse.client,
      `update pipeline.batch set snapshot_time = now() - interval '7 days'`,
      batchesSql(2, BATCHES),
    );
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    await batchShown(page, BATCHES);
    await page.waitForSelector(".status[data-state=live]");
    let requests: Request[] = [];
    page.on("requestfinished", (request) => requests.push(request));
    const next = BATCHES + 1;
    await load(platform, next, next);
    await batchShown(page, next);
    await page.waitForSelector("#main[aria-busy=false]");
    const sizes = await Promise.all(
      requests.map(async (request) => await request.sizes()),
    );
    const bytes = sizes.reduce(
      (sum, one) => sum + one.responseHeadersSize + one.responseBodySize,
      0,
    );
    const asked = requests.map((request) => request.url())
      .filter((url) => url.includes("/api/timeline/"));
    const added = await strip(page);
    const all = await stripAsked(page, next);
    requests = [];
    await load(platform, next + 1, HALVED);
    await batchShown(page, HALVED);
    const halved = await strip(page);

    assert.deepEqual(
      asked.map((url) => new URL(url).search),
      [`?after=${BATCHES}&to=${next}`],
    );
    assert.ok(bytes > 0 && bytes < BYTES_MAX, `${bytes} bytes`);
    assert.equal(added, all);
    assert.equal(halved, await stripAsked(page, HALVED));
    assert.equal(halved.split("<rect").length - 1, 101);
    assert.deepEqual(errors, []);
  },
);

testPage(
  "what a batch changes is laid out once, not once an element",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const { page, errors } = await open(`${await served.address}?period=all`);
    await page.waitForSelector(".status[data-state=live]");
    await page.waitForTimeout(500);
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable");
    const layouts = async () => {
      const { metrics } = await session.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "LayoutCount")?.value ?? NaN;
    };
    await execute(platform.source.client, insertOrder(50, 1000));
    const before = await layouts();
    await platform.run();
    await batchShown(page, 2);
    await page.waitForSelector("#main[aria-busy=false]");
    const laidOut = await layouts() - before;

    assert.ok(laidOut > 0 && laidOut <= LAYOUTS_MAX, `${laidOut} layouts`);
    assert.deepEqual(errors, []);
  },
);
