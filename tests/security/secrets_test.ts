import assert from "node:assert/strict";
import { join } from "node:path";
import { startS3Server } from "../../embedded/s3_server.ts";
import { openDuckDb } from "../../lib/duckdb/duckdb.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { inFolder } from "../harness/in_folder.ts";
import {
  execute,
  openPlatform,
  type Platform,
  type ZoneKind,
} from "../harness/platform.ts";
import { BUCKET } from "../harness/s3.ts";
import { fillSmall, insertOrder } from "../harness/small_source.ts";
import { Task, taskEnv } from "../harness/task.ts";
import { startS3Proxy } from "../lib/zone/s3_proxy.ts";

const ODD = "/@:#?&=+ '\"\\%20$ü";
/** Each has a core that is found whatever stands around it is made into. */
const CANARIES = {
  source: `zq7Source9x${ODD}`,
  warehouse: `${ODD}zq7Warehouse9x`,
  libpq: `zq7Libpq9x${ODD}`,
  keyId: "ZQ7KEYID9XABCDEFGHI",
  secretKey: "zq7SecretKey9x/+abc'\"\\=",
  token: "zq7Token9x//token+++==",
  dashboard: `zq7Board9x${ODD}`,
};
const CORES = [
  "zq7Source9x",
  "zq7Warehouse9x",
  "zq7Libpq9x",
  "ZQ7KEYID9X",
  "zq7SecretKey9x",
  "zq7Token9x",
  "zq7Board9x",
];
const LEAK = new RegExp(CORES.flatMap(formsOf).join("|"), "i");
const LIVELY_MS = 100;

/** As it is, in base64 at any place in a text, and in hexadecimal digits. */
function formsOf(core: string): string[] {
  const inBase64 = [0, 1, 2].map((before) => {
    const text = btoa("x".repeat(before) + core);
    // What its neighbours have a part in can't be told.
    return text.slice(before === 0 ? 0 : 4, -4).replace(/[+/]/g, "\\$&");
  });
  const inHex = [...core].map((one) => one.charCodeAt(0).toString(16)).join("");
  return [core, ...inBase64, inHex];
}

function withPassword(
  url: string,
  password: string,
  changes: { user?: string; host?: string; search?: string } = {},
): string {
  const changed = new URL(url);
  changed.password = "PASSWORD";
  changed.username = changes.user ?? changed.username;
  changed.hostname = changes.host ?? changed.hostname;
  changed.search = changes.search ?? "";
  return changed.href.replace("PASSWORD", encodeURIComponent(password));
}

/** Makes roles with the canaries as their passwords; gone at the end. */
async function openSecretRoles({ source, warehouse }: Platform) {
  const id = crypto.randomUUID().slice(0, 8);
  const [reader, loader] = [`reader_${id}`, `loader_${id}`];
  const { client } = source;
  for (
    const [role, password] of [
      [reader, CANARIES.source],
      [loader, CANARIES.warehouse],
    ] as const
  ) {
    await client.query(
      `create role ${quoteName(role)} superuser login
      password ${quoteText(password)}`,
    );
  }
  return {
    reader,
    loader,
    [Symbol.asyncDispose]: async () => {
      await warehouse.client.query(
        `drop owned by ${quoteName(loader)} cascade`,
      );
      await client.query(
        `drop role ${quoteName(reader)}, ${quoteName(loader)}`,
      );
    },
  };
}

/** Settings that work, with a canary wherever a secret may stand. */
function secretEnv(
  platform: Platform,
  roles: { reader: string; loader: string },
): Record<string, string> {
  const { source, warehouse } = platform;
  return {
    ...taskEnv(platform),
    SOURCE_URL: withPassword(source.url, CANARIES.source, {
      user: roles.reader,
    }),
    WAREHOUSE_URL: withPassword(warehouse.url, CANARIES.warehouse, {
      user: roles.loader,
    }),
    ANALYST_URL: withPassword(warehouse.url, CANARIES.warehouse, {
      user: roles.loader,
    }),
    DASHBOARD_TOKEN: CANARIES.dashboard,
    PGPASSWORD: CANARIES.libpq,
    AWS_ACCESS_KEY_ID: CANARIES.keyId,
    AWS_SECRET_ACCESS_KEY: CANARIES.secretKey,
    AWS_SESSION_TOKEN: CANARIES.token,
  };
}

/** A platform whose keys for S3 may be any. */
async function openKeylessPlatform(zones: ZoneKind) {
  const server = await startS3Server({ buckets: [BUCKET] });
  const platform = await openPlatform({
    zones,
    s3Endpoint: server.endpoint,
    warehouse: "empty",
  });
  return {
    platform,
    endpoint: server.endpoint,
    [Symbol.asyncDispose]: async () => {
      await platform[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}

function assertNoLeak(text: string, where: string): void {
  const found = LEAK.exec(text);
  const near = text.slice(Math.max(0, (found?.index ?? 0) - 200)).slice(0, 400);
  assert.equal(found, null, `${where}: ${near}`);
}

/** Looks for a canary in every file below a folder, and in their names. */
async function assertNoLeakBelow(folder: string): Promise<number> {
  let files = 0;
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    assertNoLeak(entry.name, folder);
    if (entry.isDirectory) files += await assertNoLeakBelow(path);
    if (!entry.isFile) continue;
    files++;
    assertNoLeak(latin1(await Deno.readFile(path)), path);
  }
  return files;
}

/** The same in every file of a zone. */
async function assertNoLeakIn(
  url: string,
  platform: Platform,
): Promise<number> {
  const zone = openZone(url, { s3: platform.config.s3 });
  let files = 0;
  for await (const { key } of zone.list("")) {
    files++;
    const bytes = (await zone.read(key))?.bytes ?? new Uint8Array();
    assertNoLeak(latin1(bytes), `${url}/${key}`);
  }
  zone.close();
  return files;
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** What everyone on the machine sees of every process. */
async function processTitles(): Promise<string> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-A", "-ww", "-o", "args="],
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("the search for secrets finds every form of them", () => {
  const { source, secretKey } = CANARIES;
  for (
    const text of [
      source,
      encodeURIComponent(source),
      JSON.stringify(source),
      quoteText(source),
      btoa(`user:${secretKey}`),
      btoa(`a:${secretKey}`),
      btoa(secretKey),
      [...new TextEncoder().encode(source)].map((byte) => byte.toString(16))
        .join(""),
    ]
  ) assert.throws(() => assertNoLeak(`x ${text} y`, "here"), text);
});

for (const zones of ["directory", "S3"] as const) {
  Deno.test(`a run leaves no secret in output, zones, temporary files or process titles (${zones})`, async () => {
    await using opened = await openKeylessPlatform(zones);
    const { platform } = opened;
    await fillSmall(platform.source.client);
    await using roles = await openSecretRoles(platform);
    const { config, source, warehouse } = platform;
    const seen = new Set<string>();
    // Not by `deno task`, which could not end it with itself when killed.
    await using task = new Task(
      ["operate/run.ts", "--forever", "--every", "1s"],
      secretEnv(platform, roles),
      { deno: ["run", "-A"] },
    );
    const told = task.says(/"stage":"load","message":"batch [2-9]/);
    let running = true;
    const watching = (async () => {
      while (running) {
        seen.add(await processTitles());
        const { rows } = await source.client.query(
          "select application_name, query from pg_stat_activity",
        );
        seen.add(JSON.stringify(rows));
        await new Promise((wake) => setTimeout(wake, LIVELY_MS));
      }
    })();

    await told.finally(() => running = false);
    await watching;
    // As the system does it that runs out of memory.
    task.kill("SIGKILL");
    await task.ended();

    assertNoLeak(task.out + task.error, "output");
    for (const text of seen) assertNoLeak(text, "titles and sessions");
    assert.ok([...seen].some((text) => text.includes("totesys extract")));
    assert.ok(await assertNoLeakIn(config.ingestionUrl, platform) > 10);
    assert.ok(await assertNoLeakIn(config.processedUrl, platform) > 10);
    await assertNoLeakBelow(config.tempDirectory);
    const { rows } = await warehouse.client.query(
      `select (select json_agg(one) from pipeline.batch as one)::text
        || coalesce((select json_agg(one) from pipeline.finding as one)::text, '')
        as text`,
    );
    assertNoLeak(rows[0].text, "ledger");
  });
}

interface Failure {
  name: string;
  tasks: string[][];
  /** Changes to settings that work. */
  env: (given: Record<string, string>) => Record<string, string>;
  found: RegExp;
}

const CLOSED = "http://127.0.0.1:1";
const ALL = [
  ["extract"],
  ["transform"],
  ["load"],
  ["pipeline"],
  ["run", "--every", "1s"],
  ["verify"],
  ["status"],
  ["doctor"],
  ["sweep", "ingestion"],
  ["sweep", "processed"],
  ["resync", "payment"],
  ["rebuild", "processed"],
  ["rebuild", "warehouse"],
];
/** They go on trying, until they are asked to stop. */
const ENDLESS = ["run", "dashboard"];

function both(
  change: (url: string, password: string) => string,
): Failure["env"] {
  return ({ SOURCE_URL = "", WAREHOUSE_URL = "" }) => ({
    SOURCE_URL: change(SOURCE_URL, CANARIES.source),
    WAREHOUSE_URL: change(WAREHOUSE_URL, CANARIES.warehouse),
    ANALYST_URL: change(WAREHOUSE_URL, CANARIES.warehouse),
  });
}

const FAILURES: Failure[] = [
  {
    name: "a wrong password",
    tasks: [
      ["extract"],
      ["load"],
      ["run", "--every", "1s"],
      ["verify"],
      ["status"],
      ["doctor"],
      ["smoke"],
      ["dashboard"],
      ["rebuild", "warehouse"],
    ],
    env: both((url, password) =>
      withPassword(url, `${password}!`, { user: "postgres" })
    ),
    found: /password authentication failed/,
  },
  {
    name: "libpq's password, and it is wrong",
    tasks: [["extract"]],
    env: both((url) => url.replace(/:[^:/@]*@/, "@")),
    found: /password authentication failed/,
  },
  {
    name: "a host that isn't there",
    tasks: [["extract"], ["load"], ["pipeline"], ["verify"], ["dashboard"]],
    env: both((url, password) =>
      withPassword(url, password, { host: "nowhere.invalid" })
    ),
    found: /Cannot connect to nowhere\.invalid/,
  },
  {
    name: "a server without TLS",
    tasks: [["extract"], ["resync", "payment"]],
    env: both((url, password) =>
      withPassword(url, password, { search: "?sslmode=verify-full" })
    ),
    found: /does not support SSL/,
  },
  {
    name: "passwords that nobody encoded",
    tasks: [["pipeline"], ["status"], ["doctor"], ["dashboard"]],
    env: both((_url, password) => `postgres://user:${password}@127.0.0.1:1/db`),
    found: /is malformed/,
  },
  {
    name: "passwords that look like a port",
    tasks: [["pipeline"]],
    env: both((_url, password) =>
      `postgres://user:5432/${password}@127.0.0.1:1/db`
    ),
    found: /is malformed/,
  },
  {
    name: "URLs of another kind",
    tasks: [["pipeline"]],
    env: both((url) => url.replace("postgres:", "mysql:")),
    found: /begins with mysql/,
  },
  {
    name: "a store that is down",
    tasks: ALL,
    env: () => ({ AWS_ENDPOINT_URL: CLOSED }),
    found: /the connection was refused/,
  },
  {
    name: "a store whose host isn't there",
    tasks: [["extract"], ["transform"], ["load"]],
    env: () => ({ AWS_ENDPOINT_URL: "http://nowhere.invalid" }),
    found: /Cannot .*nowhere\.invalid/,
  },
  {
    name: "an endpoint with a password",
    tasks: [["status"]],
    env: () => ({ AWS_ENDPOINT_URL: `http://u:${CORES[4]}@127.0.0.1:1` }),
    found: /AWS_ENDPOINT_URL is \W+http:\/\/u:\*\*\*@/,
  },
  {
    name: "a region that DuckDB does not take",
    tasks: [["transform"]],
    env: () => ({ AWS_REGION: "no region '" }),
    found: /Cannot/,
  },
  {
    name: "no httpfs",
    tasks: [["transform"], ["rebuild", "processed"]],
    env: () => ({ DUCKDB_EXTENSION_DIRECTORY: "/nowhere" }),
    found: /Cannot load DuckDB's httpfs extension/,
  },
  {
    name: "a temporary directory that can't be made",
    tasks: [["transform"]],
    env: () => ({ TEMP_DIRECTORY: "/proc/nowhere" }),
    found: /proc/,
  },
  {
    name: "zones of no kind",
    tasks: [["pipeline"]],
    env: () => ({ INGESTION_URL: `ftp://u:${CORES[4]}@host/x` }),
    found: /INGESTION_URL is \W+ftp:\/\/u:\*\*\*@host\/x/,
  },
];

Deno.test("no failing task prints a secret", async () => {
  await using opened = await openKeylessPlatform("S3");
  const { platform } = opened;
  await fillSmall(platform.source.client);
  await using roles = await openSecretRoles(platform);
  // One batch waits for load, and another for transform.
  await platform.extract();
  await platform.transform();
  await execute(platform.source.client, insertOrder(100));
  await platform.extract();
  const given = secretEnv(platform, roles);
  const runs = FAILURES.flatMap((failure) =>
    failure.tasks.map((args) => ({ ...failure, args }))
  );

  const lanes = [0, 1].map((lane) => runs.filter((_, i) => i % 2 === lane));
  await Promise.all(lanes.map(async (lane) => {
    for (const { name, args, env, found } of lane) {
      await using task = new Task(args, { ...given, ...env(given) });
      if (ENDLESS.includes(args[0] ?? "")) {
        await task.says(found);
        task.kill("SIGTERM");
      }
      const code = await task.ended();

      const text = task.out + task.error;
      assertNoLeak(text, `${args} with ${name}`);
      assert.match(text, found, `${args} with ${name}`);
      if (!ENDLESS.includes(args[0] ?? "")) {
        assert.notEqual(code, 0, `${args} with ${name}`);
      }
    }
  }));
});

Deno.test("no task prints secrets that a store echoes", async () => {
  await using opened = await openKeylessPlatform("S3");
  const { platform, endpoint } = opened;
  await using proxy = startS3Proxy(endpoint);
  await fillSmall(platform.source.client);
  await using roles = await openSecretRoles(platform);
  await platform.extract();
  const env = {
    ...secretEnv(platform, roles),
    AWS_ENDPOINT_URL: proxy.endpoint,
  };
  let refuse = (_request: Request) => true;
  proxy.fault = (request) =>
    refuse(request)
      ? new Response(
        `<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code>
        <Message>got ${
          escapeXml(JSON.stringify([...request.headers]))
        }</Message></Error>`,
        { status: 403, headers: { "content-type": "application/xml" } },
      )
      : undefined;
  // The AWS SDK's requests, and then DuckDB's.
  for (
    const refused of [
      () => true,
      (request: Request) =>
        request.headers.get("user-agent")?.includes("duckdb") === true,
    ]
  ) {
    refuse = refused;
    await using task = new Task(["transform"], env);
    const code = await task.ended();

    assert.equal(code, 1, task.out + task.error);
    assertNoLeak(task.out + task.error, "output");
  }
});

Deno.test("openDuckDb() hides the keys that DuckDB refuses", async () => {
  await using platform = await openPlatform({
    zones: "S3",
    warehouse: "empty",
  });
  const { config } = platform;
  assert.ok(config.s3 !== undefined);
  const s3 = { ...config.s3, secretAccessKey: `${CORES[4]}\0` };

  await assert.rejects(
    openDuckDb({ ...config, s3 }, { zones: [] }),
    (error: Error) => {
      assert.match(error.message, /^Cannot give DuckDB its keys for S3/);
      assertNoLeak(Deno.inspect(error), "error");
      return true;
    },
  );
});

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

Deno.test(".env is read by the tasks, kept out of git, and .env.example has no secret", () =>
  inFolder(async () => {
    const project = platformDirectory();
    const ignored = await Deno.readTextFile(join(project, ".gitignore"));
    const example = await Deno.readTextFile(join(project, ".env.example"));

    assert.match(ignored, /^\.env$/m);
    assert.doesNotMatch(example, /^[^#]*(SECRET|TOKEN|KEY_ID)[A-Z_]*=./m);
    assert.deepEqual(
      [...example.matchAll(/^\w+=\w+:\/\/\w+:(\w+)@/gm)].map(([, one]) => one),
      ["password", "password"],
    );
  }));
