import assert from "node:assert/strict";
import { readDashboard } from "../../lib/project/dashboard.ts";
import { gunzipSync } from "node:zlib";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { Figures } from "../../visualise/figures/figures.ts";
import { serveDashboard } from "../../visualise/main.ts";
import { Warehouse } from "../../visualise/warehouse.ts";
import {
  loaded,
  openWarehouse,
  Served,
  withoutStream,
} from "../harness/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/small_source.ts";

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

Deno.test("the dashboard asks for its token, and requires one unless it listens on this machine only", async () => {
  await using platform = await loaded();
  await using served = new Served(platform, { token: TOKEN });
  const address = await served.address;
  const ask = async (authorization?: string) => {
    const answer = await fetch(`${address}api/newest`, {
      headers: authorization === undefined ? {} : { authorization },
    });
    await answer.body?.cancel();
    return answer.status;
  };

  assert.equal(await ask(), 401);
  assert.equal(await ask("Bearer wrong"), 401);
  assert.equal(await ask(`Bearer ${TOKEN}`), 200);
  assert.equal(await ask(`Basic ${btoa(`anybody:${TOKEN}`)}`), 200);
  const health = await fetch(`${address}health`);
  assert.deepEqual(await health.json(), { ok: true, batch: "1" });
  assert.equal(await ask("Basic ===="), 401);
  platform.set({
    dashboard: { host: "0.0.0.0", port: 0, token: undefined, proxies: 0 },
  });
  await assert.rejects(serveDashboard(platform.context), {
    name: "ConfigError",
    message: /^DASHBOARD_LISTEN is "0\.0\.0\.0:0", which others can reach/,
  });
});

Deno.test("without a token no page from another origin gets data", async () => {
  await using platform = await loaded();
  await using warehouse = openWarehouse(platform);
  const app = withoutStream(platform, warehouse);
  const status = async (host: string) =>
    (await app.request(`http://${host}:8300/api/newest`)).status;

  assert.equal(await status("127.0.0.1"), 200);
  assert.equal(await status("localhost"), 200);
  assert.equal(await status("[::1]"), 200);
  assert.equal(await status("rebound.example.com"), 403);
});

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

Deno.test("a hundred viewers share one query", async () => {
  await using platform = await loaded();
  const asked: string[] = [];
  class Watched extends Warehouse {
    override ask(...given: Parameters<Warehouse["ask"]>) {
      const [query] = given;
      asked.push(typeof query === "string" ? query : query.name);
      return super.ask(...given);
    }
  }
  const { settings } = platform.warehouse;
  await using warehouse = new Watched(
    settings,
    platform.context.resources.connect,
  );
  const app = withoutStream(platform, warehouse);
  const paths = [
    "/health",
    "/api/newest",
    "/api/overview/1",
    "/api/rows/sales/1",
    "/api/changes/1",
    "/api/pipeline",
    "/api/batches/1",
    "/api/history/payment/1",
  ];
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => paths).flat()
      .map((path) => app.request(`http://localhost${path}`)),
  );

  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const counts = Map.groupBy(asked, (name) => name);
  // Each of the views that tell of a batch asks for its ledger, and changes for
  // that of the batch since which they were made, too.
  for (const [name, { length }] of counts) {
    assert.ok(length <= (name === "batch" ? 5 : 2), `${name}: ${length}`);
  }
  assert.equal(counts.get("sales")?.length, 1);
  assert.equal(counts.get("changes of fact_payment")?.length, 1);
  assert.equal(counts.get("history of fact_payment")?.length, 1);
});

const PAYMENTS = { name: "payments", text: "select * from fact_payment" };

Deno.test("a query ends at its time limit, and only a few run at once", async () => {
  await using platform = await loaded();
  const { client, settings } = platform.warehouse;
  await using warehouse = openWarehouse(platform, 2_000);
  await execute(client, "begin", "lock fact_payment in access exclusive mode");
  const asked = Array.from(
    { length: 6 },
    () => warehouse.ask(PAYMENTS),
  );
  const ended = Promise.allSettled(asked);
  const waiting = async () => {
    const [row] = await query(
      platform.source.client,
      `select count(*) as count from pg_stat_activity
      where datname = '${settings.database}'
        and application_name like 'totesys dashboard%'
        and wait_event_type = 'Lock'`,
    );
    return Number(row?.count);
  };
  let most = 0;
  let isOver = false;
  ended.then(() => isOver = true);
  while (!isOver) {
    most = Math.max(most, await waiting());
    await new Promise((wake) => setTimeout(wake, 20));
  }
  const results = await ended;
  await execute(client, "rollback");

  assert.equal(most, 4);
  for (const result of results) {
    assert.equal(result.status, "rejected");
    assert.match(String(result.reason), /statement timeout/);
  }
  assert.equal((await warehouse.ask(PAYMENTS)).length, 5);
});

Deno.test("signing in limits the form's size, and sets a secure cookie over TLS", async () => {
  await using platform = await loaded();
  await using warehouse = openWarehouse(platform);
  const { client } = platform.warehouse;
  const app = withoutStream(platform, warehouse, { token: TOKEN });
  // Strangers get an answer that takes no query.
  await client.query("begin");
  await client.query("lock pipeline.batch in access exclusive mode");
  const health = await app.request("http://example.com/health");
  assert.deepEqual(await health.json(), { ok: true });
  await client.query("rollback");

  const cookie = async (headers: Record<string, string>) => {
    const answer = await app.request("http://example.com/login", {
      method: "POST",
      body: new URLSearchParams({ token: TOKEN }),
      headers,
    });
    return answer.headers.get("set-cookie") ?? "";
  };

  assert.match(await cookie({ "x-forwarded-proto": "https" }), /; Secure/);
  assert.doesNotMatch(await cookie({}), /; Secure/);
  const given = (await cookie({})).split(";")[0] ?? "";
  const signedIn = async (headers: Record<string, string>) =>
    (await (await app.request("http://example.com/api/company", { headers }))
      .json()).signed_in;
  const out = await app.request("http://example.com/logout", {
    method: "POST",
    headers: { cookie: given },
  });
  assert.equal(out.status, 303);
  assert.match(
    out.headers.get("set-cookie") ?? "",
    /^dashboard_token=; Max-Age=0; HttpOnly/,
  );
  assert.equal(await signedIn({ cookie: given }), true);
  // A program has nothing to sign out of.
  assert.equal(await signedIn({ authorization: `Bearer ${TOKEN}` }), false);
  const posted = async (body: string, type: string) =>
    (await app.request("http://example.com/login", {
      method: "POST",
      body,
      headers: {
        "content-type": type,
        "content-length": String(body.length),
      },
    })).status;
  assert.equal(
    await posted("x".repeat(5000), "application/x-www-form-urlencoded"),
    413,
  );
  assert.equal(await posted("?", "multipart/form-data; boundary=b"), 400);
});

Deno.test("a sign-in ends after 30 days, and wrong tokens are logged", async () => {
  await using platform = await loaded();
  await using warehouse = openWarehouse(platform);
  let now = new Date("2026-01-01T00:00:00Z");
  const app = withoutStream(platform, warehouse, {
    token: TOKEN,
    clock: () => now,
  });
  const from = { remoteAddr: { hostname: "192.0.2.7" } };
  const login = (token: string) =>
    app.request("http://example.com/login", {
      method: "POST",
      body: new URLSearchParams({ token }),
    }, from);
  const statusWith = async (headers: Record<string, string>) =>
    (await app.request("http://example.com/api/newest", { headers }, from))
      .status;

  const signedIn = await login(TOKEN);
  const [cookie = ""] = (signedIn.headers.get("set-cookie") ?? "").split(";");
  const [name = "", value = ""] = cookie.split("=");
  const [issued, signature] = value.split(".");
  const later = `${name}=${Number(issued) + 3600}.${signature}`;

  assert.notEqual(await statusWith({ cookie }), 401);
  // Nobody extends it.
  now = new Date("2026-01-01T02:00:00Z");
  assert.equal(await statusWith({ cookie: later }), 401);
  now = new Date("2026-01-30T23:59:59Z");
  assert.notEqual(await statusWith({ cookie }), 401);
  now = new Date("2026-01-31T00:00:00Z");
  assert.equal(await statusWith({ cookie }), 401);
  assert.deepEqual(platform.logged.filter((line) => /token/.test(line)), []);
  assert.equal((await login("wrong")).status, 401);
  assert.equal(await statusWith({ authorization: "Bearer wrong" }), 401);
  // A browser that is not signed in yet tried nothing.
  assert.equal(await statusWith({}), 401);
  assert.deepEqual(platform.logged.filter((line) => /token/.test(line)), [
    "warning: refused a wrong token from 192.0.2.7",
    "warning: refused a wrong token from 192.0.2.7",
  ]);
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

Deno.test("the dashboard works with an analyst's rights", async () => {
  await using platform = await loaded();
  const role = `viewer_${crypto.randomUUID().slice(0, 8)}`;
  const { client, settings } = platform.warehouse;
  await execute(
    client,
    `create role ${role} login password 'a-password' in role analyst`,
  );
  try {
    await using warehouse = new Warehouse(
      { ...settings, user: role, password: "a-password" },
      platform.context.resources.connect,
    );

    for (const name of ["batch", "batch_files"] as const) {
      assert.ok((await warehouse.ask(name, [1])).length > 0, name);
    }
    const app = withoutStream(platform, warehouse);
    const ask = async (path: string) => {
      const answer = await app.request(`http://localhost/api/${path}`);
      assert.equal(answer.status, 200, path);
      return await answer.json();
    };
    const { figures, offered } = await ask("overview/1");
    assert.equal(offered.names.length, 3);
    const { subjects, records } = await ask("company");
    for (const { name } of subjects) {
      assert.ok(figures[name].month.length > 0, name);
      assert.ok((await ask(`rows/${name}/1`)).rows.length > 0, name);
    }
    for (const { name } of records) {
      const { moments, newest } = await ask(`history/${name}/1`);
      assert.ok(moments.length > 0 && newest.length > 0, name);
    }
    assert.ok((await ask("batches/1")).models.length > 0);
    assert.ok((await ask("changes/1")).changes.length > 0);
    assert.ok((await warehouse.ask("columns", [["fact_payment"]])).length > 0);
    assert.ok((await warehouse.ask("freshness")).length > 0);
    assert.deepEqual(await warehouse.ask("batch_findings", [1, 10]), []);
    assert.ok((await warehouse.ask("batches", [10])).length > 0);
    assert.ok((await warehouse.ask("checks")).length > 0);
    assert.deepEqual(await warehouse.ask("verification"), []);
    assert.deepEqual(await warehouse.ask("load_failure"), []);
    assert.deepEqual(await warehouse.ask("quarantine"), [{ rows: "0" }]);
  } finally {
    await execute(client, `drop role ${role}`);
  }
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
