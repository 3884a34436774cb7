import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ConfigError } from "../../../lib/errors.ts";
import { platformDirectory } from "../../../lib/platform_directory.ts";
import { type Need, readConfig } from "../../../lib/settings/config.ts";
import { openZone } from "../../../lib/zone/zone.ts";
import { inFolder } from "../../harness/in_folder.ts";

const ALL: readonly Need[] = ["source", "warehouse", "ingestion", "processed"];
const SECRET = "s3cr3t";

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

Deno.test("readConfig() prefers S3's own region and endpoint", () => {
  const zones = { INGESTION_URL: "s3://bucket/zone" };
  const config = read({
    ...zones,
    AWS_REGION: "eu-west-2",
    AWS_DEFAULT_REGION: "eu-west-1",
    AWS_ENDPOINT_URL_S3: "https://s3.example.org",
    AWS_ENDPOINT_URL: "https://example.org",
  }, []);

  assert.equal(config.s3?.region, "eu-west-2");
  assert.equal(config.s3?.endpoint, "https://s3.example.org");
  assert.equal(read(zones, []).s3?.region, "us-east-1");
});

Deno.test("readConfig() refuses an endpoint that isn't a server's URL", () => {
  const problems = problemsOf({
    INGESTION_URL: "s3://bucket/zone",
    AWS_ENDPOINT_URL: "127.0.0.1:9000",
  }, []);

  assert.deepEqual(problems, [
    'AWS_ENDPOINT_URL is "127.0.0.1:9000": http://host:port or https://host is expected',
  ]);
});

Deno.test("readConfig() refuses an endpoint with a password in it", () => {
  const problems = problemsOf({
    INGESTION_URL: "s3://bucket/zone",
    AWS_ENDPOINT_URL: `http://user:${SECRET}@127.0.0.1:9000`,
  }, []);

  assert.deepEqual(problems, [
    'AWS_ENDPOINT_URL is "http://user:***@127.0.0.1:9000": http://host:port or https://host is expected',
  ]);
});

Deno.test("readConfig() refuses directories that DuckDB takes for patterns", () => {
  const problems = problemsOf({
    INGESTION_URL: "/zones/a*b",
    PROCESSED_URL: "/zones/what?",
    TEMP_DIRECTORY: "/temp/[x]",
  }, []);

  const reason =
    "a path without * ? [ is expected, since DuckDB reads these as";
  assert.deepEqual(problems, [
    `INGESTION_URL is "/zones/a*b": ${reason} patterns`,
    `PROCESSED_URL is "/zones/what?": ${reason} patterns`,
    `TEMP_DIRECTORY is "/temp/[x]": ${reason} patterns`,
  ]);
});

for (const prefix of ["a b", "a*", "a?", "a[b]", "it's", "a//b", "../b"]) {
  Deno.test(`readConfig() refuses the prefix ${prefix} of a zone in S3`, () => {
    const url = `s3://bucket/${prefix}`;

    assert.deepEqual(problemsOf({ PROCESSED_URL: url }, []), [
      `PROCESSED_URL is "${url}": a prefix of letters, digits and _ - . = is expected`,
    ]);
  });
}

Deno.test("readConfig() refuses an invalid bucket name", () => {
  assert.deepEqual(problemsOf({ PROCESSED_URL: "s3://b" }, []), [
    'PROCESSED_URL is "s3://b": s3://bucket/prefix or a directory is expected',
  ]);
});

Deno.test("readConfig() refuses the same location for both zones", () => {
  const problems = problemsOf({
    INGESTION_URL: "s3://bucket/zone/",
    PROCESSED_URL: "s3://bucket/zone",
  }, []);

  assert.deepEqual(problems, [
    "INGESTION_URL and PROCESSED_URL are the same: each needs its own place",
  ]);
});

Deno.test("readConfig() refuses a zone inside the other", () => {
  for (
    const [ingestion, processed] of [
      ["s3://bucket/lake", "s3://bucket/lake/processed"],
      ["/lake/processed/ingestion", "/lake/processed"],
      ["s3://bucket", "s3://bucket/processed"],
    ] as const
  ) {
    const zones = { INGESTION_URL: ingestion, PROCESSED_URL: processed };
    const [inner, outer] = ingestion.length > processed.length
      ? ["INGESTION_URL", "PROCESSED_URL"]
      : ["PROCESSED_URL", "INGESTION_URL"];

    assert.deepEqual(problemsOf(zones, []), [
      `${inner} is inside ${outer}: each needs its own place`,
    ]);
  }
  const besides = { INGESTION_URL: "/lake/in", PROCESSED_URL: "/lake/in2" };
  assert.equal(read(besides, []).processedUrl, "/lake/in2");
});

Deno.test("readConfig() refuses zones that are the same through links", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/lake`);
    await Deno.symlink(`${folder}/lake`, `${folder}/link`);
    assert.deepEqual(
      problemsOf({
        INGESTION_URL: `${folder}/lake`,
        PROCESSED_URL: `${folder}/link`,
      }, []),
      ["INGESTION_URL and PROCESSED_URL are the same: each needs its own place"],
    );
    assert.deepEqual(
      problemsOf({
        INGESTION_URL: `${folder}/lake`,
        PROCESSED_URL: `${folder}/link/still/to come`,
      }, []),
      ["PROCESSED_URL is inside INGESTION_URL: each needs its own place"],
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
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

Deno.test("readConfig() shows how to write a password that breaks a URL", () => {
  const [problem = ""] = problemsOf({ SOURCE_URL: "postgres://u:a/b@h/d" }, []);

  assert.match(problem, /^SOURCE_URL is malformed: .* with @ : .* as %40 %3A/);
});

Deno.test("readConfig() reads a connection URL", () => {
  const { source } = read({
    SOURCE_URL:
      "postgresql://a%40b:p%2Fw@db.example.org:6543/my%20db?sslrootcert=/ca.pem",
  }, ["source"]);

  assert.deepEqual(source, {
    host: "db.example.org",
    port: 6543,
    database: "my db",
    user: "a@b",
    password: "p/w",
    tls: { verify: true, caFile: "/ca.pem" },
  });
});

Deno.test("readConfig() completes a URL from libpq's variables", () => {
  const { source, warehouse } = read({
    SOURCE_URL: "postgres://one.example.org",
    WAREHOUSE_URL: "postgres://",
    PGHOST: "two.example.org",
    PGPORT: "6000",
    PGDATABASE: "here",
    PGUSER: "me",
    PGPASSWORD: SECRET,
    PGSSLMODE: "require",
    PGSSLROOTCERT: "/ca.pem",
  }, ["source", "warehouse"]);

  const settings = {
    port: 6000,
    database: "here",
    user: "me",
    password: SECRET,
    tls: { verify: false, caFile: "/ca.pem" },
  };
  assert.deepEqual(source, { host: "one.example.org", ...settings });
  assert.deepEqual(warehouse, { host: "two.example.org", ...settings });
});

Deno.test("readConfig() takes one server of two from libpq's variables alone", () => {
  const { source } = read({
    WAREHOUSE_URL: "postgres://localhost/warehouse",
    PGDATABASE: "totesys",
    PGHOST: "localhost",
  }, ["source", "warehouse"]);

  assert.equal(source?.database, "totesys");
});

Deno.test("readConfig() takes the only server needed from libpq's variables alone", () => {
  const libpq = { PGHOST: "localhost", PGUSER: "me" };

  const extract = read({ ...libpq, PGDATABASE: "totesys" }, ["source"]);
  assert.equal(extract.source?.database, "totesys");
  assert.equal(extract.warehouse, undefined);
  const load = read(libpq, ["warehouse"]);
  assert.equal(load.warehouse?.database, "me");
  assert.equal(load.source, undefined);
  assert.equal(read(libpq, []).source, undefined);
});

Deno.test("readConfig() refuses the same database as source and warehouse", () => {
  const problems = problemsOf({ PGDATABASE: "totesys" }, [
    "source",
    "warehouse",
  ]);

  assert.deepEqual(problems.map((problem) => problem.split(" is ")[0]), [
    "SOURCE_URL",
    "WAREHOUSE_URL",
  ]);
});

Deno.test("readConfig() has defaults for what a URL omits", () => {
  const { source } = read({ SOURCE_URL: "postgres://" }, ["source"]);

  assert.deepEqual(source, {
    host: "localhost",
    port: 5432,
    database: "postgres",
    user: "postgres",
    password: undefined,
    tls: false,
  });
});

for (
  const { url, tls } of [
    { url: "postgres://localhost/db", tls: undefined },
    { url: "postgres://127.3.2.1/db", tls: undefined },
    { url: "postgres://[::1]/db", tls: undefined },
    { url: "postgres:///db?host=/var/run/postgresql", tls: undefined },
    { url: "postgres://127.example.org/db", tls: { verify: true } },
    { url: "postgres://10.0.0.1/db", tls: { verify: true } },
    { url: "postgres://10.0.0.1/db?sslmode=disable", tls: undefined },
    { url: "postgres://10.0.0.1/db?sslmode=require", tls: { verify: false } },
    { url: "postgres://10.0.0.1/db?sslmode=verify-ca", tls: { verify: true } },
    {
      url: "postgres://localhost/db?sslmode=verify-full",
      tls: { verify: true },
    },
  ]
) {
  Deno.test(`readConfig() gives ${url} its TLS`, () => {
    const { source } = read({ SOURCE_URL: url }, ["source"]);

    assert.deepEqual(
      source?.tls,
      tls === undefined ? false : { ...tls, caFile: undefined },
    );
  });
}

Deno.test("readConfig() refuses an unknown TLS mode and an invalid port", () => {
  const problems = problemsOf({
    SOURCE_URL: "postgres://localhost/db?sslmode=prefer",
    PGPORT: "eighty",
  }, ["source"]);

  assert.deepEqual(problems, [
    'PGPORT is "eighty", which is not a port',
    'SOURCE_URL: sslmode is "prefer", which verifies nothing and may go on without TLS: one of disable, require, verify-ca, verify-full is expected',
  ]);
});

Deno.test("readConfig() names a URL's invalid port", () => {
  const problems = problemsOf({ SOURCE_URL: "postgres://host:0/db" }, [
    "source",
  ]);

  assert.deepEqual(problems, ['SOURCE_URL: port is "0", which is not a port']);
  assert.deepEqual(
    problemsOf({ SOURCE_URL: "postgres://me:a:1%40@[::1]:99999/db" }, [
      "source",
    ]),
    ['SOURCE_URL: port is "99999", which is not a port'],
  );
});

for (
  const url of [
    `postgres://user:${SECRET}@host:port/db`,
    `postgres://user:${SECRET}@ho st/db`,
    `mysql://user:${SECRET}@host/db`,
    `postgres://user:${SECRET}@host/db?sslmode=none`,
    `user:${SECRET}@host/db`,
    `postgres://user:${SECRET}%@host/db`,
    `s3://user:${SECRET}@host/db`,
    `postgres://user:12/${SECRET}@host/db`,
    `postgres://user:?${SECRET}@host/db`,
    `postgres://user:#${SECRET}@host/db`,
  ]
) {
  Deno.test(`readConfig() doesn't show the password of ${url}`, () => {
    for (const name of ["SOURCE_URL", "INGESTION_URL"]) {
      const error = errorOf({ [name]: url }, []);

      if (name === "SOURCE_URL") assert.ok(error instanceof ConfigError);
      assert.ok(!String(error).includes(SECRET), String(error));
    }
  });
}

Deno.test("platformDirectory() is where sql/ lies", () => {
  assert.ok(Deno.statSync(join(platformDirectory(), "sql")).isDirectory);
});

function read(variables: Record<string, string>, needs: readonly Need[]) {
  return readConfig((name) => variables[name], needs);
}

function problemsOf(
  variables: Record<string, string>,
  needs: readonly Need[],
): readonly string[] {
  const error = errorOf(variables, needs);
  assert.ok(error instanceof ConfigError);
  assert.equal(error.message, error.problems.join("\n"));
  return error.problems;
}

function errorOf(variables: Record<string, string>, needs: readonly Need[]) {
  try {
    read(variables, needs);
  } catch (error) {
    return error;
  }
}

Deno.test("readConfig() takes .env.example unchanged, and its zones can be created", () =>
  inFolder(async (folder) => {
    const text = await Deno.readTextFile(
      join(platformDirectory(), ".env.example"),
    );
    const env = Object.fromEntries(
      text.split("\n").filter((line) => /^[A-Z]/.test(line))
        .map((line) => line.split(/=(.*)/)),
    );

    read(env, ALL);
    for (const name of ["INGESTION_URL", "PROCESSED_URL"]) {
      const zone = openZone(resolve(folder, env[name]), { s3: undefined });
      assert.equal(await zone.create("a", new Uint8Array([1])), true);
    }
  }));

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

Deno.test("readConfig() honours a connection URL's other parameters", () => {
  const { source } = read({
    SOURCE_URL: "postgres://ignored@ignored:1/ignored?host=db.example.org" +
      "&port=6000&user=a%2Bb&password=p+w&dbname=totesys&sslmode=verify-ca" +
      "&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem&sslpassword=x%26y" +
      "&connect_timeout=7&application_name=my%20name" +
      "&target_session_attrs=standby&options=-c%20search_path%3Da" +
      "&keepalives=0&keepalives_idle=30&gssencmode=disable",
  }, ["source"]);

  assert.deepEqual(source, {
    host: "db.example.org",
    port: 6000,
    database: "totesys",
    user: "a+b",
    password: "p+w",
    tls: {
      verify: true,
      caFile: "/ca.pem",
      client: {
        certificateFile: "/c.pem",
        keyFile: "/k.pem",
        keyPassword: "x&y",
      },
    },
    sessionTarget: "standby",
    connectTimeoutMs: 7000,
    applicationName: "my name",
    options: "-c search_path=a",
    keepAlive: false,
    keepAliveDelayMs: 30_000,
  });
});

for (
  const { url, host } of [
    { url: "postgres://u:p@/db?host=/run/pg", host: "/run/pg" },
    { url: "postgres://u:p@:6000/db", host: "/from/libpq" },
    { url: "postgres://u:p@", host: "/from/libpq" },
    { url: "postgres://u:p@%2Frun%2Fpg/db", host: "/run/pg" },
    { url: "postgres:///db", host: "/from/libpq" },
  ]
) {
  Deno.test(`readConfig() finds the socket of ${url}`, () => {
    const { source } = read({ SOURCE_URL: url, PGHOST: "/from/libpq" }, []);

    assert.equal(source?.host, host);
    assert.equal(source?.tls, false);
  });
}

Deno.test("readConfig() honours libpq's other variables", () => {
  const { source } = read({
    SOURCE_URL: "postgres://db.example.org/totesys",
    PGSSLCERT: "/c.pem",
    PGSSLKEY: "/k.pem",
    PGCONNECT_TIMEOUT: "3",
    PGAPPNAME: "nightly",
    PGOPTIONS: "-c lock_timeout=1s",
    PGTARGETSESSIONATTRS: "primary",
    PGGSSENCMODE: "prefer",
    PGSSLROOTCERT: "system",
  }, ["source"]);

  assert.deepEqual(source?.tls, {
    verify: true,
    caFile: undefined,
    client: { certificateFile: "/c.pem", keyFile: "/k.pem" },
  });
  assert.equal(source?.connectTimeoutMs, 3000);
  assert.equal(source?.applicationName, "nightly");
  assert.equal(source?.options, "-c lock_timeout=1s");
  assert.equal(source?.sessionTarget, "primary");
});

Deno.test("readConfig() names each parameter that it can't honour", () => {
  const problems = problemsOf({
    SOURCE_URL: "postgres://db.example.org/totesys?sslmod=disable&sslcrl=/x" +
      "&channel_binding=require&target_session_attrs=stand-by&pgbouncer=true" +
      "&connect_timeout=0&keepalives_count=9&sslcert=/c.pem&service=prod" +
      "&keepalives=yes&sslmode=require&sslmode=disable&ssl_cert=/c.pem",
  }, ["source"]);

  assert.deepEqual(problems, [
    'SOURCE_URL: no parameter is called "sslmod": did you mean sslmode?',
    "SOURCE_URL: sslcrl can't be honoured: leave it out",
    'SOURCE_URL: channel_binding is "require", which can\'t be honoured: sslmode=verify-full proves that the server is the right one',
    'SOURCE_URL: no parameter is called "pgbouncer": leave it out',
    'SOURCE_URL: keepalives_count is "9", which can\'t be honoured: 0 can',
    "SOURCE_URL: service can't be honoured: put its settings into the URL",
    "SOURCE_URL: sslmode is given twice",
    'SOURCE_URL: no parameter is called "ssl_cert": did you mean sslcert?',
    'SOURCE_URL: connect_timeout is "0": a whole number of seconds from 1 to 3600 is expected',
    'SOURCE_URL: target_session_attrs is "stand-by": one of any, read-write, read-only, primary, standby, prefer-standby is expected; did you mean standby?',
    'SOURCE_URL: keepalives is "yes": 0 or 1 is expected',
    "SOURCE_URL: sslcert is given without sslkey: a certificate needs both",
  ]);
});

Deno.test("readConfig() refuses libpq's variables that it can't honour, once", () => {
  const urls = {
    SOURCE_URL: "postgres://localhost/totesys",
    WAREHOUSE_URL: "postgres://localhost/warehouse",
  };
  const problems = problemsOf({
    ...urls,
    PGSERVICE: "prod",
    PGREQUIREAUTH: "scram-sha-256",
    PGHOSTADDR: "10.0.0.1",
    PGCHANNELBINDING: "require",
    PGSSLMINPROTOCOLVERSION: "TLSv1.3",
  }, ["source", "warehouse"]);

  assert.deepEqual(problems, [
    "PGHOSTADDR can't be honoured: give the address as the host",
    "PGREQUIREAUTH can't be honoured: leave it out",
    'PGCHANNELBINDING is "require", which can\'t be honoured: sslmode=verify-full proves that the server is the right one',
    'PGSSLMINPROTOCOLVERSION is "TLSv1.3", which can\'t be honoured: tlsv1 or tlsv1.1 or tlsv1.2 can',
    "PGSERVICE can't be honoured: put its settings into the URL",
  ]);
  assert.deepEqual(problemsOf({ PGSERVICE: "prod" }, ["source"]).length, 1);
});

for (
  const variables of [
    { SOURCE_URL: "postgres://a.example.org,b.example.org/db" },
    { SOURCE_URL: `postgres://u:${SECRET}@a.example.org:1,b:2/db` },
    { SOURCE_URL: "postgres:///db?host=a.example.org,b" },
    { SOURCE_URL: "postgres:///db", PGHOST: "a.example.org,b" },
  ]
) {
  Deno.test(`readConfig() refuses several hosts: ${Object.values(variables)}`, () => {
    assert.deepEqual(problemsOf(variables, ["source"]), [
      "SOURCE_URL: several hosts are named, and only one is supported: name the one to connect to",
    ]);
  });
}

for (
  const { url, tls } of [
    {
      url: "postgres://10.0.0.1/db?sslmode=require&sslrootcert=/ca.pem",
      tls: { verify: true, caFile: "/ca.pem" },
    },
    {
      url: "postgres://localhost/db?sslrootcert=/ca.pem",
      tls: { verify: true, caFile: "/ca.pem" },
    },
    {
      url: "postgres:///db?host=/run/postgresql&sslmode=verify-full",
      tls: false,
    },
  ]
) {
  Deno.test(`readConfig() verifies by the certificates that ${url} names`, () => {
    assert.deepEqual(read({ SOURCE_URL: url }, ["source"]).source?.tls, tls);
  });
}

Deno.test("readConfig() names misspelt settings of .env", () => {
  const misspelt = (names: string[]) => {
    try {
      readConfig(() => undefined, [], { names });
      return [];
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.problems;
    }
  };

  assert.deepEqual(
    misspelt([
      "FRESHNESS_MINUTE_MAX",
      "WAREHOUSE_URI",
      "source_url",
      "DASHBOARD_PORT",
      "TEMP_DIR",
    ]),
    [
      "FRESHNESS_MINUTE_MAX in .env is not a setting: did you mean FRESHNESS_MINUTES_MAX?",
      "WAREHOUSE_URI in .env is not a setting: did you mean WAREHOUSE_URL?",
      "source_url in .env is not a setting: did you mean SOURCE_URL?",
      "DASHBOARD_PORT in .env is not a setting: leave it out",
    ],
  );
  const example = Deno.readTextFileSync(
    join(platformDirectory(), ".env.example"),
  );
  const named = [...example.matchAll(/^(?:# )?([A-Z_]+)=/gm)]
    .map(([, name = ""]) => name);
  assert.ok(named.length > 20);
  assert.deepEqual(
    misspelt([...named, "COMPOSE_PROJECT_NAME", "PGDATA", "AWS_PROFILE"]),
    [],
  );
});

Deno.test("readConfig() refuses variables of S3 that it can't honour", () => {
  const problems = problemsOf({
    PROCESSED_URL: "s3://bucket/zone",
    AWS_S3_ENDPOINT: "http://127.0.0.1:9000",
    AWS_USE_FIPS_ENDPOINT: "true",
  }, []);

  assert.deepEqual(problems, [
    "AWS_S3_ENDPOINT is not a setting: did you mean AWS_ENDPOINT_URL?",
    "AWS_USE_FIPS_ENDPOINT can't be honoured: leave it out",
  ]);
});
