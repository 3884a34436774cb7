import assert from "node:assert/strict";
import { unzipSync } from "fflate";
import { basename, join } from "node:path";
import { query } from "../../lib/postgres/postgres.ts";
import { sha256Hex } from "../../lib/zone/checksum.ts";
import { FUNCTIONS } from "../../package/functions.ts";
import { main } from "../../package/main.ts";
import { inFolder } from "../harness/in_folder.ts";
import {
  LaidOutPackage,
  RunningFunction,
} from "../../package/running_function.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { TestSecretsManager } from "../harness/servers/secrets_manager.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { functionEnvironment } from "../harness/function_environment.ts";

const TOKEN = "a-token-of-the-tests";
let laidOut: LaidOutPackage | undefined;

/** A platform in the cloud, as far as it can be had here. */
class Cloud implements AsyncDisposable {
  readonly #running: RunningFunction[] = [];

  private constructor(
    readonly platform: Platform,
    readonly secrets: TestSecretsManager,
    readonly folder: string,
  ) {}

  static async open(): Promise<Cloud> {
    const platform = await openPlatform({ zones: "S3", warehouse: "empty" });
    await fillSmall(platform.source.client);
    const folder = await Deno.makeTempDir({ prefix: "totesys-cloud-" });
    await Deno.chmod(folder, 0o755);
    const secrets = new TestSecretsManager({
      source: platform.source.url,
      warehouse: JSON.stringify({ url: platform.warehouse.url }),
    });
    return new Cloud(platform, secrets, folder);
  }

  async start(
    name: string,
    env: Record<string, string> = {},
  ): Promise<RunningFunction> {
    laidOut ??= await LaidOutPackage.make();
    const started = await RunningFunction.start(laidOut, {
      name,
      temp: join(this.folder, name),
      env: {
        ...functionEnvironment(this.platform),
        AWS_ENDPOINT_URL_SECRETS_MANAGER: this.secrets.url,
        ...(["extract", "verify"].includes(name)
          ? { SOURCE_SECRET_ID: "source" }
          : {}),
        ...(["load", "verify"].includes(name)
          ? { WAREHOUSE_SECRET_ID: "warehouse" }
          : {}),
        ...env,
      },
    });
    this.#running.push(started);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#running) await one[Symbol.asyncDispose]();
    await this.secrets[Symbol.asyncDispose]();
    await this.platform[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test.afterAll(async () => {
  await laidOut?.[Symbol.asyncDispose]();
});

/**
 * The newest versions of symbols that AWS's image has: of glibc 2.34, and of
 * GCC 11's library, https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
 */
const AMAZON_LINUX_LIBRARIES: Record<string, string> = {
  GLIBC: "2.34",
  GLIBCXX: "3.4.29",
  CXXABI: "1.3.13",
};
const SYMBOLS = /\b(GLIBC|GLIBCXX|CXXABI)_(\d+(?:\.\d+)+)/g;
/** Where it has them, which DuckDB's S3 extension looks for. */
const AMAZON_LINUX_CERTIFICATES = "/etc/pki/tls/certs/ca-bundle.crt";

/** What Lambda takes of a function with its layers, unzipped. */
const UNZIPPED_BYTES_MAX = 250 * 1024 * 1024;

Deno.test("the package lists its contents, and fits Lambda's limits", async () => {
  laidOut ??= await LaidOutPackage.make();
  const { parts } = laidOut.manifest;

  assert.deepEqual(Object.keys(parts), [
    "deno",
    "duckdb",
    ...Object.keys(FUNCTIONS),
  ]);
  const unzipped = new Map<string, number>();
  for (const [name, part] of Object.entries(parts)) {
    const zip = await laidOut.readZip(name);
    const bytes = Object.values(unzipSync(zip))
      .reduce((sum, file) => sum + file.length, 0);
    assert.equal(part.bytes, zip.length, name);
    assert.equal(part.sha256, sha256Hex(zip), name);
    assert.equal(part.unzippedBytes, bytes, name);
    unzipped.set(name, bytes);
  }
  const sizeOf = (name: string) => unzipped.get(name) ?? 0;
  for (const name of Object.keys(FUNCTIONS)) {
    const bytes = sizeOf(name) + sizeOf("deno") + sizeOf("duckdb");
    assert.ok(bytes < UNZIPPED_BYTES_MAX, `${name}: ${bytes}`);
  }
});

// Where there is no such image, this is as near as it can be had.
Deno.test("the package needs no newer libraries than Amazon Linux 2023 has, and knows its certificates", async () => {
  laidOut ??= await LaidOutPackage.make();
  const files = {
    ...unzipSync(await laidOut.readZip("deno")),
    ...unzipSync(await laidOut.readZip("duckdb")),
  };
  const binaries: string[] = [];
  let hasCertificates = false;
  for (const [path, bytes] of Object.entries(files)) {
    const text = new TextDecoder("latin1").decode(bytes);
    if (!text.startsWith("\x7fELF")) continue;
    binaries.push(basename(path));
    hasCertificates ||= path.endsWith("httpfs.duckdb_extension") &&
      text.includes(AMAZON_LINUX_CERTIFICATES);
    for (const [, library = "", version = ""] of text.matchAll(SYMBOLS)) {
      const newest = AMAZON_LINUX_LIBRARIES[library] ?? "";
      const order = version.localeCompare(newest, "en", { numeric: true });
      assert.ok(order <= 0, `${path} needs ${library} ${version}`);
    }
  }

  assert.deepEqual(binaries.sort(), [
    ...["deno", "duckdb.node", "httpfs.duckdb_extension", "libduckdb.so"],
  ]);
  assert.ok(hasCertificates);
});

Deno.test("the package is refused for a processor that Lambda lacks", () =>
  inFolder(async (folder) => {
    const dist = join(folder, "dist");

    assert.equal(await main(["--architecture", "riscv64"], dist), 2);
    await assert.rejects(Deno.stat(dist), Deno.errors.NotFound);
  }));

Deno.test("the package runs the whole pipeline on S3, cold and warm", async () => {
  await using cloud = await Cloud.open();
  const { platform } = cloud;
  const functions = {
    extract: await cloud.start("extract"),
    transform: await cloud.start("transform"),
    load: await cloud.start("load"),
  };
  const rows: number[] = [];
  for (const round of [1, 2, 3]) {
    for (const [name, one] of Object.entries(functions)) {
      const requestId = `${name}-${round}`;
      const { kind, body } = await one.call({ requestId });
      assert.equal(kind, "response", JSON.stringify(body));
      assert.deepEqual(body.batches, [round], requestId);
      if (name === "load") rows.push(body.rows);
      await one.logged(new RegExp(`"_aws".*"${requestId}"`));
      const events = one.events.filter((event) =>
        event.requestId === requestId
      );
      const metrics = events.pop();
      assert.ok(events.length > 0, one.lines.join("\n"));
      assert.ok(events.every(({ traceId }) => /^Root=/.test(String(traceId))));
      assert.equal(metrics?.Stage, name);
      assert.equal(metrics?.Batches, 1);
      assert.ok(Number(metrics?.LagSeconds) > 0);
      assert.equal("FreshnessSeconds" in (metrics ?? {}), name === "load");
    }
    await assertMirrored(platform);
    await execute(
      platform.source.client,
      insertOrder(50 + round),
      "delete from payment where payment_id = 5",
    );
  }

  assert.ok((rows[0] ?? 0) > (rows[1] ?? 0));
  const verify = await cloud.start("verify");
  const { kind, body } = await verify.call();
  assert.equal(kind, "response", JSON.stringify(body));
  assert.equal(body.same, true);
  await verify.logged(/"Differences":0/);
  const sweep = await cloud.start("sweep");
  const swept = await sweep.call();
  assert.equal(swept.kind, "response", JSON.stringify(swept.body));
  assert.equal(swept.body.filesRemoved, 0);
  await sweep.logged(/"ForeignFiles":0/);
});

Deno.test("a warm function keeps its connections, and replaces dead ones", async () => {
  await using cloud = await Cloud.open();
  const { client } = cloud.platform.source;
  const sessions = async () => {
    const found = await query(
      client,
      `select pid, state from pg_stat_activity
      where datname = current_database() and application_name ~ '^totesys '
      order by pid`,
    );
    assert.ok(found.every(({ state }) => state === "idle"));
    return found.map(({ pid }) => pid);
  };
  const extract = await cloud.start("extract");
  await extract.call();
  const cold = await sessions();
  await extract.call();
  const warm = await sessions();
  await query(
    client,
    `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name ~ '^totesys '`,
  );

  const { kind, body } = await extract.call();

  assert.ok(cold.length > 0);
  assert.ok(cold.every((pid) => warm.includes(pid)), `${cold}, ${warm}`);
  assert.equal(kind, "response", JSON.stringify(body));
  assert.deepEqual(body.batches, [3]);
});

Deno.test("a function reads a changed password again", async () => {
  await using cloud = await Cloud.open();
  const { platform, secrets } = cloud;
  const role = `reader_${crypto.randomUUID().slice(0, 8)}`;
  const url = new URL(platform.source.url);
  url.username = role;
  url.password = "first-password";
  await execute(
    platform.source.client,
    `create role ${role} login password 'first-password'`,
    `grant select on all tables in schema public to ${role}`,
  );
  try {
    secrets.secrets.set("source", url.href);
    const extract = await cloud.start("extract");
    const before = await extract.call();
    await execute(
      platform.source.client,
      `alter role ${role} password 'second-password'`,
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`,
    );
    const refused = await extract.call();
    url.password = "second-password";
    secrets.secrets.set("source", url.href);

    const after = await extract.call();

    assert.deepEqual(before.body.batches, [1], JSON.stringify(before));
    assert.equal(refused.kind, "error");
    assert.match(refused.body.errorMessage, /password authentication failed/);
    assert.deepEqual(after.body.batches, [2], JSON.stringify(after));
    assert.doesNotMatch(extract.lines.join("\n"), /(first|second)-password/);
  } finally {
    await execute(
      platform.source.client,
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`,
      `drop owned by ${role}`,
      `drop role ${role}`,
    );
  }
});

Deno.test("the dashboard is served behind a URL, to holders of its token", async () => {
  await using cloud = await Cloud.open();
  const { platform, secrets } = cloud;
  await platform.run();
  const role = `viewer_${crypto.randomUUID().slice(0, 8)}`;
  const url = new URL(platform.warehouse.url);
  url.username = role;
  url.password = "first-password";
  const { client } = platform.warehouse;
  await execute(
    client,
    `create role ${role} login password 'first-password' in role analyst`,
  );
  try {
    secrets.secrets.set("analyst", url.href);
    secrets.secrets.set("dashboard", TOKEN);
    const dashboard = await cloud.start("dashboard", {
      ANALYST_SECRET_ID: "analyst",
      DASHBOARD_SECRET_ID: "dashboard",
    });
    const ask = async (rawPath: string, token?: string) => {
      const { kind, body } = await dashboard.call({
        event: urlEvent(rawPath, token),
      });
      assert.equal(kind, "response", JSON.stringify(body));
      return body;
    };

    assert.equal((await ask("/")).statusCode, 401);
    assert.equal((await dashboard.call({ event: {} })).body.statusCode, 400);
    assert.equal((await ask("/api/newest", "wrong")).statusCode, 401);
    const signedIn = await dashboard.call({
      event: {
        ...urlEvent("/login"),
        headers: {
          host: "abc.lambda-url.us-east-1.on.aws",
          "content-type": "application/x-www-form-urlencoded",
        },
        body: `token=${TOKEN}`,
        requestContext: {
          domainName: "abc.lambda-url.us-east-1.on.aws",
          http: { method: "POST", path: "/login", sourceIp: "192.0.2.1" },
        },
      },
    });
    assert.equal(signedIn.body.statusCode, 303);
    const [cookie = ""] = signedIn.body.cookies;
    assert.match(cookie, /HttpOnly; Secure; SameSite=Strict/);
    const again = await dashboard.call({
      event: { ...urlEvent("/"), cookies: [cookie.split(";")[0]] },
    });
    assert.equal(again.body.statusCode, 200);
    const page = await ask("/", TOKEN);
    assert.equal(page.statusCode, 200);
    assert.match(page.headers["content-security-policy"], /default-src 'none'/);
    assert.match(page.body, /<title>Totesys/);
    assert.match((await ask("/plot.js", TOKEN)).body, /makePlot/);
    assert.equal((await ask("/events", TOKEN)).statusCode, 204);
    const { figures: { sales } } = JSON.parse(
      (await ask("/api/overview/1", TOKEN)).body,
    );
    assert.ok(sales.month.length > 0);

    await execute(
      client,
      `alter role ${role} password 'second-password'`,
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`,
    );
    url.password = "second-password";
    secrets.secrets.set("analyst", url.href);
    assert.equal((await ask("/api/newest", TOKEN)).statusCode, 200);
    assert.doesNotMatch(dashboard.lines.join("\n"), /(first|second)-password/);
    assert.ok(!dashboard.lines.join("\n").includes(TOKEN));
  } finally {
    await execute(
      client,
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`,
      `drop role ${role}`,
    );
  }
});

Deno.test("the dashboard is not served without a token", async () => {
  await using cloud = await Cloud.open();
  const dashboard = await cloud.start("dashboard", {
    ANALYST_URL: cloud.platform.warehouse.url,
  });

  const { kind, body } = await dashboard.call({ event: urlEvent("/") });

  assert.equal(kind, "error");
  assert.match(body.errorMessage, /DASHBOARD_TOKEN is missing/);
});

/** What Lambda gives a function whose URL was asked, version 2.0. */
function urlEvent(rawPath: string, token?: string) {
  const domainName = "abc.lambda-url.us-east-1.on.aws";
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString: "",
    headers: {
      host: domainName,
      ...(token === undefined
        ? {}
        : { authorization: `Basic ${btoa(`me:${token}`)}` }),
    },
    requestContext: {
      domainName,
      http: { method: "GET", path: rawPath, sourceIp: "192.0.2.1" },
    },
    isBase64Encoded: false,
  };
}

Deno.test("a function stops before its time limit, and rolls back the batch", async () => {
  await using cloud = await Cloud.open();
  const { platform } = cloud;
  const extract = await cloud.start("extract");
  // The time that a process takes to begin is none of a later call's.
  await extract.call();
  const holder = await openClient(platform.source.url);
  await execute(holder, "begin", "lock table payment");

  const late = await extract.call({ timeoutMs: 8_000 });

  await holder.end();
  const next = await extract.call();
  assert.equal(late.kind, "error");
  assert.equal(late.body.errorType, "StageError");
  assert.match(late.body.errorMessage, /^Cannot finish extract in [78] s$/);
  assert.deepEqual(next.body.batches, [2], JSON.stringify(next));
});

Deno.test("a killed function continues in a new process", async () => {
  await using cloud = await Cloud.open();
  const { platform } = cloud;
  await platform.extract();
  const holder = await openClient(platform.warehouse.url);
  await platform.transform();
  await platform.load();
  await execute(platform.source.client, insertOrder(50));
  await platform.extract();
  await platform.transform();
  await execute(holder, "begin", "lock table fact_sales_order");
  const load = await cloud.start("load");
  const temp = join(cloud.folder, "load");
  const stuck = assert.rejects(load.call(), /it ended with/);
  await untilWaiting(platform, temp);
  load.kill("SIGKILL");
  await stuck;
  await holder.end();
  const again = await cloud.start("load");

  const { body } = await again.call();

  assert.deepEqual(body.batches, [2], JSON.stringify(body));
  assert.deepEqual(await leftIn(temp), []);
  await assertMirrored(platform);
});

Deno.test("a function that can't start reports why, and ends", async () => {
  await using cloud = await Cloud.open();

  const extract = await cloud.start("extract", {
    INGESTION_URL: "ftp://nowhere",
    SOURCE_SECRET_ID: "source",
  });
  const unknown = await cloud.start("load", { WAREHOUSE_SECRET_ID: "nothing" });

  const { body } = await extract.initError();
  assert.equal(body.errorType, "ConfigError");
  assert.match(body.errorMessage, /INGESTION_URL is "ftp:/);
  assert.equal((await extract.status()).code, 1);
  const missing = await unknown.initError();
  assert.match(
    missing.body.errorMessage,
    /^Cannot read the secret nothing: .*can't find/,
  );
});

Deno.test("a function that is asked to stop ends well", async () => {
  await using cloud = await Cloud.open();
  const extract = await cloud.start("extract");
  await extract.call();

  extract.kill("SIGTERM");

  assert.equal((await extract.status()).code, 0);
});

Deno.test("a function writes only to its temporary folder", async () => {
  await using cloud = await Cloud.open();
  const transform = await cloud.start("transform", {
    INGESTION_URL: join(cloud.folder, "ingestion"),
    PROCESSED_URL: join(cloud.folder, "processed"),
  });

  const { kind, body } = await transform.call();

  assert.equal(kind, "error");
  assert.match(body.errorMessage, /ingestion.*Requires read access/);
});

/** Waits until load waits for the locked table, and has files in a folder. */
async function untilWaiting(
  { warehouse }: Platform,
  temp: string,
): Promise<void> {
  for (let attempt = 1; attempt <= 400; attempt++) {
    const waiting = await query(
      warehouse.client,
      `select 1 from pg_stat_activity where datname = current_database()
      and application_name = 'totesys load' and wait_event_type = 'Lock'`,
    );
    if (waiting.length > 0 && (await leftIn(temp)).length > 0) return;
    await new Promise((wake) => setTimeout(wake, 50));
  }
  throw new Error("load did not come to the locked table");
}

async function leftIn(folder: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(folder));
  return names.map(({ name }) => name).filter((name) =>
    name.startsWith("totesys-")
  );
}
