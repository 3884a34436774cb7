import assert from "node:assert/strict";
import { execute } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { Task } from "../harness/task.ts";
import { startS3Proxy } from "../lib/zone/s3_proxy.ts";
import {
  assertNoLeak,
  CANARIES,
  CORES,
  openKeylessPlatform,
  openSecretRoles,
  secretEnv,
  withPassword,
} from "./canary_secrets.ts";

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

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
