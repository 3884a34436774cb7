import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { assertAccessibleEverywhere } from "../harness/browser/accessible.ts";
import {
  batchShown,
  counted,
  CutWay,
  drawnSeries,
  loaded,
  open,
  openPage,
  openWarehouse,
  Served,
  testPage,
  withoutStream,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";
import { duration } from "../../visualise/page/times.js";

testPage(
  "an open page moves with a batch, within a second of its commit",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    const { client } = platform.warehouse;
    const value = async () => {
      const [row] = await query(
        client,
        `select sum(units_sold * unit_price) as value
      from fact_sales_order_current`,
      );
      return Number(row?.value);
    };
    const drawn = async () => {
      const series = await drawnSeries(page, "month");
      return series.flatMap(({ data }) => data)
        .reduce((sum, one) => sum + one, 0);
    };
    await batchShown(page, 1);
    await page.waitForSelector(".status[data-state=live]");
    assert.equal(await counted(page, "sales"), "3");
    assert.equal(await drawn(), await value());
    await page.evaluate(
      `new MutationObserver(() => { window.shownAt = Date.now() })
      .observe(document.body, { attributeFilter: ["data-batch"] })`,
    );

    const waits: number[] = [];
    for (let batch = 2; batch <= 6; batch++) {
      await execute(
        platform.source.client,
        "update sales_order set units_sold = units_sold + 1000 where sales_order_id = 1",
      );
      await platform.run();
      await batchShown(page, batch);
      const [row] = await query(
        client,
        `select extract(epoch from loaded_at) * 1000 as at from pipeline.batch
      where batch = ${batch}`,
      );
      waits.push(
        await page.evaluate("window.shownAt") as number - Number(row?.at),
      );
      assert.equal(await drawn(), await value());
    }

    // The machine may be busy; a page that asks every few seconds is never fast.
    assert.ok(Math.min(...waits) < 1_000, `${waits} ms`);
    assert.deepEqual(errors, []);
  },
);

testPage(
  "a page that cannot update its figures does not call them live",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const { page } = await open(await served.address);
    await page.waitForSelector(".status[data-state=live]");
    await page.route("**/api/overview/*", async (route) => {
      await route.fulfill({ status: 503, json: { message: "away" } });
    });
    await page.locator("[data-card=owed]").click();
    await page.waitForSelector(".status[data-state=stale]");
    const said = await page.locator("#status-text").innerText();
    await page.unroute("**/api/overview/*");
    await page.waitForSelector(".status[data-state=live]");

    assert.equal(said, "Not up to date");
    await page.close();
  },
);

testPage("a page asks for nothing twice", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const address = await served.address;
  // The server, too, has just begun to listen.
  const { page: first } = await open(address);
  await first.waitForSelector(".status[data-state=live]");
  await first.close();
  const page = await openPage();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(address);
  await page.waitForSelector(".status[data-state=live]");
  await batchShown(page, 1);
  await page.waitForLoadState("load");
  await page.waitForTimeout(1_000);

  assert.deepEqual(asked.sort(), [...new Set(asked)]);
  await page.close();
});

Deno.test("long durations are shown in days, and short ones in seconds", () => {
  const MINUTE = 60;

  assert.deepEqual(
    [4387 * MINUTE, 185 * MINUTE, 41 * MINUTE, 30, 2].map(duration),
    ["3 d 1 h", "3 h 5 min", "41 min", "30 s", "2 s"],
  );
});

testPage("the page measures the age by the server's setting", async () => {
  await using platform = await loaded();
  platform.set({ freshnessMinutesMax: 5 });
  await execute(
    platform.warehouse.client,
    "update pipeline.batch set snapshot_time = clock_timestamp() - interval '6 minutes'",
  );
  await using served = new Served(platform);
  const { page } = await open(`${await served.address}?view=pipeline`);

  await page.locator("#status-text").getByText("Stale").waitFor();
  await page.locator("#status-age").getByText("6 min").waitFor();
  await page.locator("#behind").getByText("over the target of 5 min")
    .waitFor();
  await assertAccessibleEverywhere(page, "stale");
  await page.close();
});

testPage("an open page turns stale by itself when nothing comes", async () => {
  await using platform = await loaded();
  await execute(
    platform.warehouse.client,
    "update pipeline.batch set snapshot_time = clock_timestamp() - interval '1770 seconds'",
  );
  await using served = new Served(platform);
  const page = await openPage();
  await page.clock.install();
  await page.goto(await served.address);
  await page.waitForSelector(".status[data-state=live]");
  await page.waitForSelector("#main[aria-busy=false]");
  // Less than after which the page would look for another link.
  await page.clock.runFor(35_000);

  assert.equal(await page.locator("#status-text").innerText(), "Stale");
  assert.equal(await page.locator("#status-age").innerText(), "30 min");
});

testPage(
  "a page says that the database is away, and heals when it is back",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const { page } = await open(await served.address);
    await page.waitForSelector(".status[data-state=live]");
    const { database } = platform.warehouse.settings;
    const admin = platform.source.client;
    await execute(
      admin,
      `alter database "${database}" allow_connections false`,
      `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = '${database}' and application_name like 'totesys dashboard%'`,
    );
    await page.locator("#status-text").getByText("Offline").waitFor();
    await page.locator("[data-view=pipeline]").click();
    await page.locator("#problem").getByText(
      "The figures could not be updated: The warehouse did not answer.",
    ).waitFor();
    await assertAccessibleEverywhere(page, "offline");
    await execute(admin, `alter database "${database}" allow_connections true`);
    await page.waitForSelector(".status[data-state=live]");
    await page.waitForSelector("#batches table");
    await page.locator("#problem").waitFor({ state: "hidden" });
    await execute(platform.source.client, insertOrder(50));
    await platform.run();

    await batchShown(page, 2);
  },
);

testPage(
  "a page says that its link was cut without a word, and finds another",
  async () => {
    await using platform = await loaded();
    const { settings } = platform.warehouse;
    await using way = new CutWay(settings);
    await using served = new Served(platform, {
      analyst: { ...settings, host: "127.0.0.1", port: way.port },
    });
    const { page } = await open(await served.address);
    await page.waitForSelector(".status[data-state=live]");
    way.cutAt = performance.now();
    way.closed = true;
    await page.locator("#status-text").getByText("Offline").waitFor();
    way.closed = false;
    await page.waitForSelector(".status[data-state=live]");
    await execute(platform.source.client, insertOrder(50));
    await platform.run();

    await batchShown(page, 2);
    await page.close();
  },
);

testPage("a page finds its server again, and says when it can't", async () => {
  await using platform = await loaded();
  let served = new Served(platform);
  const address = await served.address;
  const { page } = await open(address);
  await page.waitForSelector(".status[data-state=live]");

  await served[Symbol.asyncDispose]();
  await page.waitForSelector(".status[data-state=stale]");
  await page.locator("[data-view=pipeline]").click();
  await page.locator("#problem").getByText(
    "could not be updated: the dashboard's server does not answer.",
  ).waitFor();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  served = new Served(platform, { port: Number(new URL(address).port) });
  await served.address;
  await page.waitForSelector(".status[data-state=live]", { timeout: 20_000 });
  await batchShown(page, 2);

  await served[Symbol.asyncDispose]();
});

testPage(
  "a page asks again and again where nothing can be streamed",
  async () => {
    await using platform = await loaded();
    await using warehouse = openWarehouse(platform);
    const app = withoutStream(platform, warehouse);
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      app.fetch,
    );
    const { page, errors } = await open(
      `http://127.0.0.1:${server.addr.port}/`,
    );
    await page.waitForSelector(".status[data-state=live]");
    await execute(platform.source.client, insertOrder(50));
    await platform.run();
    await batchShown(page, 2);

    assert.equal(await counted(page, "sales"), "4");
    assert.deepEqual(errors, []);
    await page.close();
    await server.shutdown();
  },
);

testPage(
  "a page looks for another link when its own says nothing any more",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const { port } = new URL(await served.address);
    await using way = new CutWay({ host: "127.0.0.1", port: Number(port) });
    const page = await openPage();
    await page.clock.install();
    await page.goto(`http://127.0.0.1:${way.port}/`);
    await page.waitForSelector(".status[data-state=live]");
    await page.waitForSelector("#main[aria-busy=false]");
    way.cutAt = performance.now();
    await execute(platform.source.client, insertOrder(50));
    await platform.run();
    // The server says something every 15 seconds. The browser may try the
    // connections that it has kept, which are cut as well.
    const shown = () => page.evaluate("document.body.dataset.batch");
    for (let tries = 0; await shown() !== "2"; tries++) {
      assert.ok(tries < 20, "it does not find another");
      await page.clock.runFor(45_000);
      await new Promise((wake) => setTimeout(wake, 300 * (tries + 1)));
    }
    await page.close();
  },
);

testPage(
  "a page listens again after an answer that ended its stream",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const page = await openPage();
    let refused = 0;
    await page.route("**/events", async (route) => {
      refused += 1;
      if (refused > 1) return await route.continue();
      await route.fulfill({ status: 502, body: "a proxy without a server" });
    });
    await page.goto(await served.address);
    await page.locator("#status-text").getByText("Offline").waitFor();
    await page.waitForSelector(".status[data-state=live]", { timeout: 15_000 });

    assert.equal(refused, 2);
  },
);

testPage("a page that is signed out shows the form", async () => {
  await using platform = await loaded();
  await using served = new Served(platform, { token: "a-token" });
  const page = await openPage();
  await page.goto(await served.address);
  await page.locator("input[name=token]").fill("a-token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await batchShown(page, 1);
  await page.context().clearCookies();
  await page.locator("[data-card=owed]").click();

  await page.getByRole("button", { name: "Sign in" }).waitFor();
});

testPage(
  "batches that come faster than their figures don't keep these from sight",
  async () => {
    await using platform = await loaded();
    await using served = new Served(platform);
    const { page, errors } = await open(await served.address);
    await page.waitForSelector(".status[data-state=live]");
    await page.route("**/api/overview/*", async (route) => {
      await new Promise((wake) => setTimeout(wake, 700));
      await route.continue().catch(() => {});
    });
    const shown: number[] = [];
    for (let batch = 2; batch <= 9; batch++) {
      await execute(platform.source.client, insertOrder(50 + batch));
      await platform.run();
      shown.push(Number(await page.evaluate("document.body.dataset.batch")));
    }
    await batchShown(page, 9);

    // It lags, but it goes on.
    assert.ok(new Set(shown).size > 2, shown.join(", "));
    assert.equal(await counted(page, "sales"), "11");
    assert.deepEqual(errors, []);
  },
);
