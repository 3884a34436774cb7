/**
 * `deno task test:s3`: the tests on S3 against versitygw, which checks
 * signatures and checksums, and keeps to conditions and versions as AWS does;
 * or another command, given as arguments, with that server as the tests' S3.
 * It is taken from `VERSITYGW`, from the path, or built by Go.
 */
import {
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { statusOf } from "../lib/zone/s3_error.ts";
import { freePort } from "../embedded/free_port.ts";
import { BUCKET } from "./harness/servers/s3.ts";

const MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
/** A third less processor time: no garbage collected, no function inlined. */
const QUICK_BUILD = { GOGC: "off", GOFLAGS: "-gcflags=all=-l" };
const ACCESS_KEY = "test";
const SECRET_KEY = "testtest";
/** It keeps extended attributes, which a temporary folder in memory may not. */
const KEPT_FOLDER = "/var/tmp";
const START_TRIES_MAX = 200;
const START_WAIT_MS = 50;
/** Tests whose name says S3, in these: of those with keys that are true. */
const TESTS = [
  "tests/lib/zone/s3_zone_cases_test.ts",
  "tests/lib/zone/s3_zone_test.ts",
  "tests/load/repair/rebuild_warehouse_test.ts",
  "tests/load/repair/resync_tables_test.ts",
  "tests/operate",
  "tests/package/functions_test.ts",
  "tests/pipeline",
  "tests/security/confinement_test.ts",
  "tests/security/permissions_test.ts",
  "tests/security/tls_test.ts",
  "tests/sweep",
  "tests/transform/batches/transform_batch_test.ts",
  "tests/verify",
];

/** Histories with faults; one of them kills real processes. */
const HISTORIES = ["--seeds=16..20", "--zones=S3"];

const project = fileURLToPath(new URL("..", import.meta.url));

/** Finds the gateway's program, or builds it. */
async function findVersitygw(): Promise<string> {
  const given = Deno.env.get("VERSITYGW");
  if (given !== undefined) return given;
  const folder = join(project, ".versitygw");
  const built = join(folder, "versitygw");
  if (existsSync(built)) return built;
  console.log(`go install ${MODULE}`);
  const { success } = await new Deno.Command("go", {
    args: ["install", MODULE],
    env: { GOBIN: folder, ...QUICK_BUILD },
  }).output().catch(() => ({ success: false }));
  if (success) return built;
  throw new Error(
    "Cannot build versitygw: install Go, or set VERSITYGW to the program",
  );
}

/** Waits until it answers, if only to refuse. */
async function untilAnswering(endpoint: string): Promise<void> {
  for (let attempt = 1; attempt <= START_TRIES_MAX; attempt++) {
    try {
      await (await fetch(endpoint)).body?.cancel();
      return;
    } catch {
      await new Promise((wake) => setTimeout(wake, START_WAIT_MS));
    }
  }
  throw new Error(`versitygw does not answer at ${endpoint}`);
}

function connect(endpoint: string, secretAccessKey = SECRET_KEY): S3Client {
  return new S3Client({
    endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey },
  });
}

async function enableVersioning(endpoint: string): Promise<void> {
  const client = connect(endpoint);
  await client.send(
    new PutBucketVersioningCommand({
      Bucket: BUCKET,
      VersioningConfiguration: { Status: "Enabled" },
    }),
  );
  client.destroy();
}

/** Fails unless it refuses what is signed with another secret. */
async function assertChecksSignatures(endpoint: string): Promise<void> {
  const client = connect(endpoint, `${SECRET_KEY}!`);
  await assert.rejects(
    client.send(new ListObjectsV2Command({ Bucket: BUCKET })),
    (error) => statusOf(error) === 403,
  );
  client.destroy();
}

const program = await findVersitygw();
const folder = await Deno.makeTempDir({
  prefix: "totesys-versitygw-",
  dir: KEPT_FOLDER,
});
const address = `127.0.0.1:${freePort()}`;
const endpoint = `http://${address}`;
await Deno.mkdir(join(folder, "data", BUCKET), { recursive: true });
await Deno.mkdir(join(folder, "versions"));
const gateway = new Deno.Command(program, {
  args: [
    "--port",
    address,
    "--quiet",
    "posix",
    "--versioning-dir",
    join(folder, "versions"),
    join(folder, "data"),
  ],
  env: { ROOT_ACCESS_KEY_ID: ACCESS_KEY, ROOT_SECRET_ACCESS_KEY: SECRET_KEY },
  stdout: "null",
}).spawn();
let code = 1;
try {
  await untilAnswering(endpoint);
  await enableVersioning(endpoint);
  await assertChecksSignatures(endpoint);
  const deno = [Deno.execPath(), "run", "-A"];
  const commands = Deno.args.length > 0 ? [Deno.args] : [
    [...deno, "tests/main.ts", ...TESTS, "--filter=S3"],
    [...deno, "tests/simulator/main.ts", ...HISTORIES],
  ];
  const codes: number[] = [];
  for (const [command = "", ...args] of commands) {
    const { code } = await new Deno.Command(command, {
      args,
      cwd: project,
      env: { TEST_S3_ENDPOINT: endpoint },
    }).spawn().status;
    codes.push(code);
  }
  code = Math.max(...codes);
} finally {
  gateway.kill("SIGTERM");
  await gateway.status;
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(code);
