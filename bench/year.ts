/**
 * `deno task bench:year [--at 100,1000,10000,35000] [--zones s3] [--orders N]`:
 * makes a lake and a warehouse of a year of batches with the stages themselves.
 * On the way, at these numbers of batches, it measures a run of each command,
 * and how long analysts and the dashboard wait. Prints a table for each
 * measure. `--group N` batches are transformed by one run, but for the last
 * ones before a measurement; `--repeats N`; `--directory DIR` is where all of
 * it is kept. Zones in S3 are on the server of the tests, requests counted:
 * `deno task test:s3 deno task bench:year --zones s3` for versitygw.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import pg from "pg";
import { fillSource } from "../demo/fill.ts";
import { withClient } from "../demo/with_client.ts";
import { startPostgresServer } from "../embedded/postgres_server.ts";
import { fetchHttpfs } from "../lib/duckdb/httpfs.ts";
import { platformDirectory } from "../lib/platform_directory.ts";
import { readConfig } from "../lib/settings/config.ts";
import { startS3Server } from "../embedded/s3_server.ts";
import { measureAt } from "./year/checkpoint.ts";
import { countRequests } from "./year/counted_store.ts";
import { Measures } from "./year/measures.ts";
import { YearOfBatches } from "./year/year_of_batches.ts";

const BUCKET = "bench";

const EXTENSIONS = join(platformDirectory(), ".duckdb");

const { values } = parseArgs({
  options: {
    at: { type: "string", default: "100,1000,10000,35000" },
    zones: { type: "string", default: "directory" },
    orders: { type: "string", default: "1000" },
    group: { type: "string", default: "300" },
    repeats: { type: "string", default: "3" },
    directory: { type: "string" },
  },
});
const checkpoints = values.at.split(",").map(Number);
const folder = await Deno.makeTempDir({
  prefix: "totesys-bench-",
  ...values.directory === undefined ? {} : { dir: values.directory },
});
// If this runs as root, Postgres runs as another user.
await Deno.chmod(folder, 0o755);
try {
  await using server = await startPostgresServer({
    dataDir: join(folder, "postgres"),
    persistent: false,
  });
  await withClient(server.url("postgres"), async (client) => {
    await client.query("create database totesys");
    await client.query("create database warehouse");
  });
  await withClient(server.url("totesys"), async (client) => {
    await fillSource(client, { seed: 1, salesOrders: Number(values.orders) });
  });
  const isS3 = values.zones === "s3";
  if (isS3) await fetchHttpfs(EXTENSIONS);
  await using s3 = isS3 ? await startS3Server({ buckets: [BUCKET] }) : null;
  await using store = s3 === null ? null : countRequests(s3.endpoint);
  const base = isS3 ? `s3://${BUCKET}` : folder;
  const env = {
    SOURCE_URL: server.url("totesys"),
    WAREHOUSE_URL: server.url("warehouse"),
    ANALYST_URL: server.url("warehouse"),
    INGESTION_URL: `${base}/ingestion`,
    PROCESSED_URL: `${base}/processed`,
    TEMP_DIRECTORY: join(folder, "temp"),
    DASHBOARD_LISTEN: "127.0.0.1:0",
    ...isS3
      ? {
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "testtest",
        DUCKDB_EXTENSION_DIRECTORY: EXTENSIONS,
      }
      : {},
  };
  const at = (endpoint: string | undefined): Record<string, string> => ({
    ...env,
    ...endpoint === undefined ? {} : { AWS_ENDPOINT_URL_S3: endpoint },
  });
  const source = new pg.Client(env.SOURCE_URL);
  // The connection breaks when the server ends, at the latest.
  source.on("error", () => {});
  await source.connect();
  // Else each extract waits until what it sees is flushed.
  await source.query("set synchronous_commit = on");
  await using year = await YearOfBatches.open({
    env: { ...at(s3?.endpoint), SOURCE_CONNECTIONS: "1" },
    source,
    group: Number(values.group),
  });
  const measures = new Measures();
  for (const checkpoint of checkpoints) {
    const began = performance.now();
    await measureAt(checkpoint, {
      env: at(store?.endpoint),
      year,
      measures,
      repeats: Number(values.repeats),
      store: store ?? undefined,
      s3: readConfig((name) => at(s3?.endpoint)[name], ["processed"]).s3,
    });
    const minutes = ((performance.now() - began) / 60_000).toFixed(1);
    console.log(`\n${checkpoint} batches, after ${minutes} minutes more\n`);
    console.log(measures.tables());
  }
  await source.end();
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(0);
