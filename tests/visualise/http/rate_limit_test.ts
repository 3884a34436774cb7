import assert from "node:assert/strict";
import {
  ADDRESS_RATE,
  networkOf,
  SIGNED_IN_RATE,
  STRANGERS_RATE,
} from "../../../visualise/http/rate_limit.ts";
import {
  loaded,
  openWarehouse,
  withoutStream,
} from "../../harness/browser/dashboard.ts";

const TOKEN = "a-token-of-the-tests";
const SIGNED_IN = { authorization: `Bearer ${TOKEN}` };

/** A dashboard, and what it answers to an address. */
async function openDashboard(proxies = 0) {
  const stack = new AsyncDisposableStack();
  const platform = stack.use(await loaded());
  const warehouse = stack.use(openWarehouse(platform));
  const time = { now: Date.parse("2026-01-01T00:00:00Z") };
  const app = withoutStream(platform, warehouse, {
    token: TOKEN,
    proxies,
    clock: () => new Date(time.now),
  });
  const ask = (
    from: string,
    headers: Record<string, string> = {},
    path = "none",
  ) =>
    app.request(`http://example.com/${path}`, { headers }, {
      remoteAddr: { hostname: from },
    });
  const flood = async (requests: number, from: (index: number) => string) => {
    for (let index = 0; index < requests; index++) {
      await (await ask(from(index), SIGNED_IN)).body?.cancel();
    }
  };
  const logged = () =>
    platform.logged.filter((line) => line.includes("too many"));
  return {
    ...{ app, ask, flood, time, logged },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

Deno.test("an address above its rate is refused, logged, and told when to retry", async () => {
  await using dashboard = await openDashboard();
  const { ask, flood, time, logged } = dashboard;
  const status = async (from: string, headers = {}) =>
    (await ask(from, { ...SIGNED_IN, ...headers })).status;
  await flood(SIGNED_IN_RATE.burst, () => "192.0.2.7");

  const refused = await ask("192.0.2.7", SIGNED_IN);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal(refused.headers.get("x-content-type-options"), "nosniff");
  assert.equal(await status("192.0.2.7", { "x-forwarded-for": "a" }), 429);
  assert.equal(await status("192.0.2.8"), 404);
  assert.deepEqual(logged(), [
    "warning: refused 1 requests from 192.0.2.7: too many",
  ]);
  const metrics = await ask("192.0.2.8", SIGNED_IN, "metrics");
  assert.match(
    await metrics.text(),
    /^# TYPE \w+ counter\npipeline_dashboard_requests_refused_total 2$/m,
  );
  time.now += 1000;
  await flood(SIGNED_IN_RATE.perSecond, () => "192.0.2.7");
  assert.equal(await status("192.0.2.7"), 429);
  time.now += 60_000;
  await flood(SIGNED_IN_RATE.burst, () => "192.0.2.7");
  assert.equal(await status("192.0.2.7"), 429);
  assert.deepEqual(logged().slice(1), [
    "warning: refused 3 requests from 192.0.2.7: too many",
  ]);
});

Deno.test("an office behind one address keeps hundreds of pages open", async () => {
  await using dashboard = await openDashboard();
  const { flood, logged } = dashboard;
  const pages = 500;
  const requests = 12;

  await flood(pages * requests, () => "192.0.2.7");

  assert.deepEqual(logged(), []);
});

Deno.test("a flood of unauthenticated requests blocks only such requests", async () => {
  await using dashboard = await openDashboard();
  const { ask } = dashboard;
  for (let index = 0; index < STRANGERS_RATE.burst; index++) {
    assert.equal((await ask(`192.0.${index >> 8}.${index & 255}`)).status, 401);
  }

  assert.equal((await ask("198.51.100.1")).status, 429);
  assert.equal((await ask("198.51.100.1", {}, "style.css")).status, 429);
  assert.equal((await ask("198.51.100.1", SIGNED_IN)).status, 404);
  assert.equal((await ask("198.51.100.1", {}, "health")).status, 200);
});

Deno.test("an unauthenticated flood doesn't block signed-in users of the same address", async () => {
  await using dashboard = await openDashboard();
  const { ask, logged } = dashboard;
  for (let index = 0; index < ADDRESS_RATE.burst; index++) {
    await (await ask("192.0.2.7")).body?.cancel();
  }

  assert.equal((await ask("192.0.2.7")).status, 429);
  assert.match(
    logged().join("\n"),
    /from 192\.0\.2\.7, not signed in: too many/,
  );
  assert.equal((await ask("192.0.2.7", SIGNED_IN)).status, 404);
  assert.equal((await ask("192.0.2.7", SIGNED_IN, "health")).status, 200);
});

Deno.test("a client's address is taken from trusted proxies only", async () => {
  await using dashboard = await openDashboard(1);
  const { ask, flood } = dashboard;
  const status = async (forwarded: string) =>
    (await ask("10.0.0.1", { ...SIGNED_IN, "x-forwarded-for": forwarded }))
      .status;
  for (let index = 0; index < SIGNED_IN_RATE.burst; index++) {
    assert.equal(await status(`198.51.100.${index}, 192.0.2.7`), 404);
  }

  assert.equal(await status("198.51.100.1, 192.0.2.7"), 429);
  assert.equal(await status("192.0.2.7, 198.51.100.1"), 404);
  assert.equal(await status("198.51.100.1, 192.0.2.7:52341"), 429);
  // The proxy's own, as when it asks for the server's health.
  await flood(SIGNED_IN_RATE.burst, () => "10.0.0.1");
  assert.equal((await ask("10.0.0.1", SIGNED_IN)).status, 429);
});

Deno.test("behind a function's URL the address is the one that AWS gives", async () => {
  await using dashboard = await openDashboard(1);
  const { app } = dashboard;
  const ask = (sourceIp: string, index: number) =>
    app.request("http://example.com/none", {
      headers: { ...SIGNED_IN, "x-forwarded-for": `198.51.100.${index}` },
    }, { requestContext: { http: { sourceIp } } });
  for (let index = 0; index < SIGNED_IN_RATE.burst; index++) {
    await ask("192.0.2.7", index);
  }

  assert.equal((await ask("192.0.2.7", 1)).status, 429);
  assert.equal((await ask("192.0.2.8", 1)).status, 404);
});

Deno.test("networkOf() treats an IPv6 network as one address", () => {
  for (
    const [address, network] of [
      ["192.0.2.7", "192.0.2.7"],
      ["::ffff:192.0.2.7", "192.0.2.7"],
      ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
      ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
      ["2001:db8::1", "2001:db8:0:0::/64"],
      ["::1", "0:0:0:0::/64"],
      ["unknown", "unknown"],
    ] as const
  ) assert.equal(networkOf(address), network);
});
