import { join } from "node:path";
import type { GlueSettings } from "../../lib/settings/glue_settings.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import type { S3Settings } from "../../lib/zone/zone.ts";
import { freePort } from "./free_port.ts";

/** What pyiceberg finds in the catalogue. */
export type GlueTables = Record<string, { metadata: string; rows: number }>;

/** moto's Glue, which keeps databases and tables, and pyiceberg as its reader. */
export interface MotoGlue extends AsyncDisposable {
  settings: GlueSettings;
  /** What Glue answers to a call, with the API's own names. */
  call(action: string, input: object): Promise<Record<string, unknown>>;
  /** The tables, read by pyiceberg's GlueCatalog. */
  tables(s3: S3Settings | undefined): Promise<GlueTables>;
}

const TRIES_MAX = 600;
const WAIT_MS = 100;
const DATABASE = "lake";

/**
 * Starts moto in the Python that `TEST_PYTHON` names, or `python3`; undefined if
 * that has no moto[server], or no pyiceberg with boto3.
 */
export async function openMotoGlue(): Promise<MotoGlue | undefined> {
  const python = Deno.env.get("TEST_PYTHON") ?? "python3";
  const probe = await run(python, [
    "-c",
    "import moto.server, flask, boto3, pyiceberg, pyarrow",
  ]);
  if (probe?.success !== true) return undefined;
  const port = freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const server = new Deno.Command(python, {
    args: ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const call = async (action: string, input: object) => {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": `AWSGlue.${action}`,
        authorization:
          "AWS4-HMAC-SHA256 Credential=test/20300101/us-east-1/glue/aws4_request, SignedHeaders=host, Signature=0",
      },
      body: JSON.stringify(input),
    });
    return await response.json();
  };
  await untilReady(() =>
    call("CreateDatabase", { DatabaseInput: { Name: DATABASE } })
  );
  return {
    settings: { database: DATABASE, endpoint },
    call,
    tables: (s3) => readTables(python, { endpoint, s3 }),
    [Symbol.asyncDispose]: async () => {
      server.kill();
      await server.status;
    },
  };
}

async function readTables(
  python: string,
  options: { endpoint: string; s3: S3Settings | undefined },
): Promise<GlueTables> {
  const { endpoint, s3 } = options;
  const script = join(platformDirectory(), "tests/harness/read_with_glue.py");
  const keys = (of: string) => ({
    [`${of}.region`]: s3?.region,
    [`${of}.access-key-id`]: s3?.accessKeyId,
    [`${of}.secret-access-key`]: s3?.secretAccessKey,
  });
  const properties = {
    ...{ "glue.endpoint": endpoint, "s3.endpoint": s3?.endpoint },
    ...keys("glue"),
    ...keys("s3"),
  };
  const found = await run(python, [
    script,
    JSON.stringify({ database: DATABASE, properties }),
  ]);
  const text = (bytes: Uint8Array | undefined) =>
    new TextDecoder().decode(bytes);
  if (found?.success !== true) throw new Error(text(found?.stderr));
  return JSON.parse(text(found.stdout));
}

async function run(python: string, args: string[]) {
  return await new Deno.Command(python, {
    args,
    stdout: "piped",
    stderr: "piped",
    env: { TZ: "UTC" },
  }).output().catch(() => undefined);
}

async function untilReady(isReady: () => Promise<unknown>): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      await isReady();
      return;
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
      await new Promise((wake) => setTimeout(wake, WAIT_MS));
    }
  }
}
