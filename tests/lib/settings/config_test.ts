import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { platformDirectory } from "../../../lib/platform_directory.ts";
import { ALL, problemsOf, read, SECRET } from "./read_config.ts";

Deno.test("readConfig() names every problem in one error", () => {
  const problems = problemsOf({
    WAREHOUSE_URL: "mysql://host/warehouse",
    PROCESSED_URL: "gs://bucket/processed",
    SOURCE_CONNECTIONS: "0",
    DELETE_SHARE_MAX: "half",
    DUCKDB_MEMORY_LIMIT: "512",
    FRESHNESS_MINUTES_MAX: "0",
  }, ALL);

  assert.deepEqual(problems, [
    "INGESTION_URL is missing: set s3://bucket/prefix or a directory",
    'PROCESSED_URL is "gs://bucket/processed": s3://bucket/prefix or a directory is expected',
    'DUCKDB_MEMORY_LIMIT is "512": a size of 64MB or more is expected',
    "SOURCE_URL is missing: set postgres://user:password@host:port/database",
    "WAREHOUSE_URL begins with mysql://, not postgres://",
    'SOURCE_CONNECTIONS is "0": a whole number from 1 to 16 is expected',
    'DELETE_SHARE_MAX is "half": a number from 0 to 1 is expected',
    'FRESHNESS_MINUTES_MAX is "0": a number from 1 to 100000 is expected',
  ]);
});

Deno.test("readConfig() accepts that a setting is missing which the command doesn't need", () => {
  const config = read({}, []);

  assert.deepEqual(config, {
    source: undefined,
    warehouse: undefined,
    analyst: undefined,
    dashboard: { host: "127.0.0.1", port: 8300, token: undefined, proxies: 0 },
    ingestionUrl: "",
    processedUrl: "",
    s3: undefined,
    sourceSchema: "public",
    sqlDirectory: join(platformDirectory(), "sql"),
    sourceConnections: 2,
    sourceLockTimeoutSeconds: 1,
    sourceLockWaitSeconds: 30,
    sourceLockYieldSeconds: 2,
    sourceClockSkewMinutesMax: 5,
    deleteShareMax: 0.2,
    quarantineRowsMax: 1000,
    compactionBytesMax: 256_000_000,
    compactionSecondsMax: 60,
    icebergCatalogue: undefined,
    glue: undefined,
    icebergRest: undefined,
    region: "us-east-1",
    freshnessMinutesMax: 30,
    transformEngine: "duckdb",
    transformEngineBytesMin: 10_000_000_000,
    trino: undefined,
    athena: undefined,
    verifyEveryHours: 24,
    duckDbMemoryLimit: "512MB",
    duckDbThreads: 2,
    duckDbExtensionDirectory: undefined,
    tempDirectory: resolve(tmpdir()),
  });
});

Deno.test("readConfig() takes each setting from its variable", () => {
  const config = read({
    INGESTION_URL: "relative/ingestion/",
    PROCESSED_URL: "s3://bucket/processed//",
    SOURCE_SCHEMA: " sales ",
    SOURCE_CONNECTIONS: "3",
    SOURCE_LOCK_TIMEOUT_SECONDS: "0.5",
    SOURCE_LOCK_WAIT_SECONDS: "0",
    SOURCE_LOCK_YIELD_SECONDS: "0",
    SOURCE_CLOCK_SKEW_MINUTES_MAX: "60",
    DELETE_SHARE_MAX: "0",
    QUARANTINE_ROWS_MAX: "7",
    COMPACTION_BYTES_MAX: "1000000",
    COMPACTION_SECONDS_MAX: "2.5",
    ICEBERG_CATALOGUE: "zone",
    FRESHNESS_MINUTES_MAX: "90",
    VERIFY_EVERY_HOURS: "6",
    DUCKDB_MEMORY_LIMIT: "1.5GiB",
    DUCKDB_THREADS: "4",
    DUCKDB_EXTENSION_DIRECTORY: "/extensions",
    TEMP_DIRECTORY: "/temporary",
    DASHBOARD_LISTEN: "[::1]:9000",
    DASHBOARD_TOKEN: "0123456789abcdef",
    DASHBOARD_PROXIES: "1",
    AWS_DEFAULT_REGION: "eu-west-1",
    AWS_ENDPOINT_URL: "http://127.0.0.1:9000",
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: SECRET,
    AWS_SESSION_TOKEN: "token",
    AWS_CA_BUNDLE: "/ca.pem",
  }, ["ingestion", "processed"]);

  assert.deepEqual(config, {
    source: undefined,
    warehouse: undefined,
    analyst: undefined,
    dashboard: {
      host: "::1",
      port: 9000,
      token: "0123456789abcdef",
      proxies: 1,
    },
    ingestionUrl: resolve("relative/ingestion"),
    processedUrl: "s3://bucket/processed",
    s3: {
      region: "eu-west-1",
      endpoint: "http://127.0.0.1:9000",
      accessKeyId: "key",
      secretAccessKey: SECRET,
      sessionToken: "token",
      caFile: "/ca.pem",
    },
    sourceSchema: "sales",
    sqlDirectory: join(platformDirectory(), "sql"),
    sourceConnections: 3,
    sourceLockTimeoutSeconds: 0.5,
    sourceLockWaitSeconds: 0,
    sourceLockYieldSeconds: 0,
    sourceClockSkewMinutesMax: 60,
    deleteShareMax: 0,
    quarantineRowsMax: 7,
    compactionBytesMax: 1_000_000,
    compactionSecondsMax: 2.5,
    icebergCatalogue: "zone",
    glue: undefined,
    icebergRest: undefined,
    region: "eu-west-1",
    freshnessMinutesMax: 90,
    transformEngine: "duckdb",
    transformEngineBytesMin: 10_000_000_000,
    trino: undefined,
    athena: undefined,
    verifyEveryHours: 6,
    duckDbMemoryLimit: "1.5GiB",
    duckDbThreads: 4,
    duckDbExtensionDirectory: "/extensions",
    tempDirectory: "/temporary",
  });
});

Deno.test("readConfig() takes only plain decimal numbers", () => {
  const problems = problemsOf({
    SOURCE_URL: "postgres://localhost/db?connect_timeout=1e1",
    DUCKDB_THREADS: "0x2",
    DELETE_SHARE_MAX: "1e-1",
  }, []);

  assert.deepEqual(problems.map((problem) => problem.slice(0, 30)), [
    "SOURCE_URL: connect_timeout is",
    'DELETE_SHARE_MAX is "1e-1": a ',
    'DUCKDB_THREADS is "0x2": a who',
  ]);
});

Deno.test("readConfig() refuses fractions where only whole numbers make sense", () => {
  const problems = problemsOf({
    SOURCE_CONNECTIONS: "1.5",
    QUARANTINE_ROWS_MAX: "0.1",
    DUCKDB_THREADS: "2.5",
  }, []);

  assert.deepEqual(problems, [
    'SOURCE_CONNECTIONS is "1.5": a whole number from 1 to 16 is expected',
    'QUARANTINE_ROWS_MAX is "0.1": a whole number from 0 to 1000000 is expected',
    'DUCKDB_THREADS is "2.5": a whole number from 1 to 64 is expected',
  ]);
});

for (
  const { limit, enough } of [
    { limit: "1MB", enough: false },
    { limit: "63.9MB", enough: false },
    { limit: "64MB", enough: true },
    { limit: "60MiB", enough: false },
    { limit: "64MiB", enough: true },
    { limit: "65000 KB", enough: true },
    { limit: "0.06GiB", enough: true },
  ]
) {
  Deno.test(`readConfig() ${enough ? "takes" : "refuses"} DuckDB's memory limit ${limit}`, () => {
    const variables = { DUCKDB_MEMORY_LIMIT: limit };

    if (enough) assert.equal(read(variables, []).duckDbMemoryLimit, limit);
    else {
      assert.deepEqual(problemsOf(variables, []), [
        `DUCKDB_MEMORY_LIMIT is "${limit}": a size of 64MB or more is expected`,
      ]);
    }
  });
}

Deno.test("readConfig() refuses an invalid address and an unsafe token of the dashboard", () => {
  assert.throws(
    () => read({ DASHBOARD_LISTEN: "8300", DASHBOARD_TOKEN: "short" }, []),
    (error) => {
      assert.match(String(error), /DASHBOARD_LISTEN is "8300": host:port/);
      assert.match(
        String(error),
        /DASHBOARD_TOKEN is too short: at least 16 characters/,
      );
      assert.doesNotMatch(String(error), /short"/);
      return true;
    },
  );
});
