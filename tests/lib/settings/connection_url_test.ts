import assert from "node:assert/strict";
import { ConfigError } from "../../../lib/errors.ts";
import { errorOf, problemsOf, read, SECRET } from "./read_config.ts";

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
