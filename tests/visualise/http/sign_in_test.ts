import assert from "node:assert/strict";
import { serveDashboard } from "../../../visualise/main.ts";
import {
  loaded,
  openWarehouse,
  Served,
  withoutStream,
} from "../../harness/browser/dashboard.ts";

const TOKEN = "a-token-of-the-tests";

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
