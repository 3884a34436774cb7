import assert from "node:assert/strict";
import { readDashboard } from "../../lib/project/dashboard.ts";
import { gunzipSync } from "node:zlib";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { Figures } from "../../visualise/figures/figures.ts";
import {
  loaded,
  openWarehouse,
  Served,
  withoutStream,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

const TOKEN = "a-token-of-the-tests";

Deno.test("the dashboard drops its cache when the warehouse was rebuilt", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const address = await served.address;
  const units = async () => {
    await (await fetch(`${address}api/newest`)).body?.cancel();
    const answer = await fetch(`${address}api/overview/1`);
    const { figures: { sales } } = await answer.json();
    return sales.month.reduce(
      (sum: number, row: { units: string }) => sum + Number(row.units),
      0,
    );
  };
  const becomes = async (expected: number) => {
    for (let tries = 0; await units() !== expected; tries++) {
      assert.ok(tries < 50, "it goes on with what was before");
      await new Promise((wake) => setTimeout(wake, 100));
    }
  };
  // Until it listens, it could have missed a rebuild.
  await listening(address);
  const before = await units();
  await execute(
    platform.warehouse.client,
    "update fact_sales_order set units_sold = units_sold + 1 where sales_order_id = 1",
  );
  const kept = await units();
  await execute(
    platform.warehouse.client,
    "update pipeline.batch set lake_id = 'another'",
  );

  assert.equal(kept, before);
  await becomes(before + 1);
  await execute(
    platform.warehouse.client,
    "update fact_sales_order set units_sold = units_sold + 1 where sales_order_id = 1",
    "select pg_notify('pipeline_batch', 'reset')",
  );
  await becomes(before + 2);
});

/** Waits until a dashboard hears of what happens in its warehouse. */
async function listening(address: string): Promise<void> {
  const leave = new AbortController();
  const answer = await fetch(`${address}events`, { signal: leave.signal });
  let said = "";
  for await (const bytes of answer.body ?? []) {
    said += new TextDecoder().decode(bytes);
    if (said.includes('"up":true')) break;
  }
  leave.abort();
}

Deno.test("the dashboard refuses an invalid batch, and reports an unreachable warehouse", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const address = await served.address;
  const ask = async (path: string) => {
    const answer = await fetch(address + path);
    return [answer.status, await answer.text()] as const;
  };

  assert.equal((await ask("api/overview/2"))[0], 400);
  assert.equal((await ask("api/overview/1'--"))[0], 400);
  assert.equal((await ask("api/history/payment/x"))[0], 400);
  assert.equal((await ask("api/history/date/2022-11-03"))[0], 404);
  assert.equal((await ask("api/history/staff/1/2"))[0], 400);
  assert.equal((await ask("api/history/staff/1"))[0], 200);
  assert.equal((await ask("api/history/payment/99999999999"))[0], 400);
  assert.equal((await ask("api/rows/sales/1?staff=%00"))[0], 400);
  assert.equal((await ask("api/overview/1?from=2023"))[0], 400);
  assert.equal((await ask("api/changes/1?since=1"))[0], 400);
  assert.equal((await ask("api/rows/sales/1?month=2023-13"))[0], 400);
  assert.equal((await ask("api/rows/staff/1"))[0], 404);
  assert.equal((await ask("api/rows/constructor/1"))[0], 404);
  assert.equal((await ask("api/overview/1?from=2023-02-30"))[0], 400);
  assert.equal((await ask("api/rows/sales/1?to=0000-01-01"))[0], 400);
  assert.equal((await ask("api/at?time=yesterday"))[0], 400);
  assert.equal((await ask("api/at?time=2023-02-30T00:00:00Z"))[0], 400);
  assert.deepEqual(await ask("api/at?time=2001-01-01T00:00:00Z"), [
    200,
    '{"batch":null}',
  ]);
  assert.equal((await ask("nothing"))[0], 404);
  assert.equal((await ask("api/overview/1"))[0], 200);
  await platform.warehouse.client.query(
    `alter table pipeline.batch rename column snapshot_time to away`,
  );
  const [status, text] = await ask("api/pipeline");
  assert.equal(status, 503);
  assert.equal(text, '{"message":"The warehouse did not answer."}');
  // What is asked all the time may be a second old.
  for (let tries = 0; (await ask("health"))[0] !== 503; tries++) {
    assert.ok(tries < 50, "it is said to be well");
    await new Promise((wake) => setTimeout(wake, 100));
  }
});

Deno.test("figures stay right after a rebuild with pending batches", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  const overview = async (batch: number) => {
    const answer = await fetch(
      `${await served.address}api/overview/${batch}`,
    );
    return await answer.json();
  };
  const first = await overview(1);
  await execute(
    platform.warehouse.client,
    "update fact_sales_order set units_sold = units_sold + 1",
    "select pg_notify('pipeline_batch', 'reset')",
  );
  for (let tries = 0;; tries++) {
    const { figures: { sales } } = await overview(1);
    if (sales.month[0].units !== first.figures.sales.month[0].units) break;
    assert.ok(tries < 50, "it did not hear");
    await new Promise((wake) => setTimeout(wake, 100));
  }
  await execute(platform.source.client, insertOrder(50));
  await platform.extract();
  await platform.transform();
  await rebuildWarehouse(platform.context);
  await served.address;
  // What it made of the damage must be forgotten with it.
  for (let tries = 0; (await overview(2)).figures === undefined; tries++) {
    assert.ok(tries < 50, "the rebuilt batch is not there");
    await new Promise((wake) => setTimeout(wake, 100));
  }
  await using warehouse = openWarehouse(platform);
  const figures = new Figures(warehouse);
  const none = { from: null, to: null };
  const { subjects } = readDashboard(platform.context.sql);
  for (const batch of [1, 2]) {
    const { figures: { sales, purchases, payments } } = await overview(batch);
    const day = first.snapshot_time.slice(0, 10);

    assert.deepEqual(
      { sales, purchases, payments },
      await figures.read({ batch, day }, none, subjects),
    );
  }
  assert.deepEqual((await overview(1)).figures.sales, first.figures.sales);
});

Deno.test("every answer has the security policy, and no API answer may be stored", async () => {
  await using platform = await loaded();
  await using served = new Served(platform);
  for (const path of ["", "app.js", "api/newest", "api/overview/1", "none"]) {
    const answer = await fetch(await served.address + path);
    await answer.body?.cancel();

    assert.equal(
      answer.headers.get("content-security-policy"),
      "default-src 'none'; script-src 'self'; style-src 'self'; " +
        "connect-src 'self'; img-src 'self' data:; base-uri 'none'; " +
        "form-action 'self'; frame-ancestors 'none'",
    );
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    assert.equal(
      answer.headers.get("cross-origin-resource-policy"),
      "same-origin",
    );
    assert.equal(
      answer.headers.get("cache-control"),
      path.startsWith("api/")
        ? "no-store"
        : path === "none"
        ? null
        : "no-cache",
    );
  }
});

Deno.test("files and answers are sent compressed, and unchanged files not again", async () => {
  await using platform = await loaded();
  await using warehouse = openWarehouse(platform);
  const app = withoutStream(platform, warehouse);
  const ask = async (path: string, headers: Record<string, string>) =>
    await app.request(`http://localhost${path}`, { headers });
  for (const path of ["/app.js", "/api/overview/1"]) {
    const plain = await (await ask(path, {})).text();
    const small = await ask(path, { "accept-encoding": "br, gzip" });
    const refused = await ask(path, { "accept-encoding": "gzip;q=0, br" });
    const bytes = new Uint8Array(await small.arrayBuffer());

    assert.equal(small.headers.get("content-encoding"), "gzip");
    assert.equal(small.headers.get("vary"), "accept-encoding");
    assert.equal(gunzipSync(bytes).toString(), plain);
    assert.ok(bytes.byteLength < plain.length / 2, `${bytes.byteLength}`);
    assert.equal(refused.headers.get("content-encoding"), null);
    assert.equal(await refused.text(), plain);
  }
  const etag = (await ask("/app.js", {})).headers.get("etag") ?? "";
  const again = await ask("/app.js", { "if-none-match": etag });
  const other = await ask("/app.js", { "if-none-match": 'W/"another"' });

  assert.match(etag, /^W\/"[\w-]{16}"$/);
  assert.equal(again.status, 304);
  assert.equal(await again.text(), "");
  assert.equal(other.status, 200);
});

Deno.test("metrics are in Prometheus's format, behind the token", async () => {
  await using platform = await loaded();
  await using served = new Served(platform, { token: TOKEN });
  const address = `${await served.address}metrics`;
  const refused = await fetch(address);
  await refused.body?.cancel();
  const answer = await fetch(address, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  const text = await answer.text();

  assert.equal(refused.status, 401);
  assert.equal(
    answer.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  for (const line of text.trimEnd().split("\n")) {
    assert.match(
      line,
      /^(# (HELP|TYPE) pipeline_\w+ .+|pipeline_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?[\d.]+)$/,
    );
  }
  assert.match(text, /^pipeline_freshness_seconds [\d.]+$/m);
  assert.match(text, /^pipeline_freshness_target_seconds 1800$/m);
  assert.match(text, /^pipeline_batch\{stage="extract"\} 1$/m);
  assert.match(text, /^pipeline_quarantined_rows 0$/m);
  assert.match(text, /^pipeline_check_findings\{check="dim_/m);
});

Deno.test("freshness reports the newest batch, also after a rebuild", async () => {
  await using platform = await loaded();
  await using warehouse = openWarehouse(platform);
  const { client } = platform.warehouse;
  const insert = (batch: number, taken: string, done: string) =>
    `insert into pipeline.batch (batch, snapshot_time, loaded_at, run_id,
      input_sha256, rows, deletes, transform_hash, lake_id)
    values (${batch}, now() - interval '${taken}', now() - interval '${done}',
      'run', 'hash', 0, 0, 'hash', 'lake')`;
  await execute(
    client,
    "delete from pipeline.batch",
    // Two that came with one load, long after they were taken.
    insert(1, "20 hours", "61 min"),
    insert(2, "2 hours", "61 min"),
    insert(3, "41 min", "40 min"),
    insert(4, "1 min", "30 s"),
  );
  const rows = await warehouse.ask("freshness");

  // Before the third, the second was 80 minutes old; before the fourth, the
  // third was 40.5. Before the first there was nothing.
  assert.deepEqual(rows.slice(0, 1).map(({ minutes }) => minutes), ["80.00"]);
  assert.ok(rows.some(({ minutes }) => minutes === "40.50"));
  assert.ok(rows.every(({ minutes }) => Number(minutes) <= 80));
});

Deno.test("the first page's figures are computed before it asks for them", async () => {
  await using platform = await loaded();
  const { client } = platform.warehouse;
  await using served = new Served(platform, { token: "a-token-of-the-tests" });
  const address = await served.address;
  for (let wait = 0; wait < 400 && !isReady(platform.logged); wait++) {
    await new Promise((wake) => setTimeout(wake, 50));
  }

  await execute(client, "alter table fact_sales_order rename to moved");

  const answer = await fetch(`${address}api/overview/1?period=12m`, {
    headers: { authorization: "Bearer a-token-of-the-tests" },
  });
  assert.equal(answer.status, 200);
  const { figures } = await answer.json();
  assert.ok(figures.sales.month.length > 0);
});

function isReady(logged: readonly string[]): boolean {
  return logged.some((line) =>
    line.endsWith("the figures of batch 1 are ready")
  );
}
