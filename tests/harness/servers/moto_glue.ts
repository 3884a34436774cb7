import type { GlueSettings } from "../../../lib/settings/iceberg_settings.ts";
import type { S3Settings } from "../../../lib/zone/zone.ts";
import { freePort } from "../../../embedded/free_port.ts";
import {
  type FoundTable,
  hasModules,
  PYTHON,
  tablesByPyiceberg,
} from "../readers/python.ts";

/** moto's Glue, which keeps databases and tables, and pyiceberg as its reader. */
export interface MotoGlue extends AsyncDisposable {
  settings: GlueSettings;
  /** What Glue answers to a call, with the API's own names. */
  call(action: string, input: object): Promise<Record<string, unknown>>;
  /** The tables, read by pyiceberg's GlueCatalog. */
  tables(s3: S3Settings | undefined): Promise<Record<string, FoundTable>>;
}

const TRIES_MAX = 600;
const WAIT_MS = 100;
const DATABASE = "lake";

/**
 * Starts moto in the Python that `TEST_PYTHON` names, or `python3`; undefined if
 * that has no moto[server], or no pyiceberg with boto3.
 */
export async function openMotoGlue(): Promise<MotoGlue | undefined> {
  const isThere = await hasModules(
    "moto.server",
    "flask",
    "boto3",
    "pyiceberg",
    "pyarrow",
  );
  if (!isThere) return undefined;
  const port = freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const server = new Deno.Command(PYTHON, {
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
    tables: (s3) => tablesByPyiceberg(DATABASE, propertiesOf({ endpoint, s3 })),
    [Symbol.asyncDispose]: async () => {
      server.kill();
      await server.status;
    },
  };
}

/** How pyiceberg reaches the catalogue and the tables' files. */
function propertiesOf(
  { endpoint, s3 }: { endpoint: string; s3: S3Settings | undefined },
): Record<string, string | undefined> {
  const keys = (of: string) => ({
    [`${of}.region`]: s3?.region,
    [`${of}.access-key-id`]: s3?.accessKeyId,
    [`${of}.secret-access-key`]: s3?.secretAccessKey,
  });
  return {
    type: "glue",
    "glue.endpoint": endpoint,
    "s3.endpoint": s3?.endpoint,
    ...keys("glue"),
    ...keys("s3"),
  };
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
