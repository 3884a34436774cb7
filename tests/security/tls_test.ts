import assert from "node:assert/strict";
import { join } from "node:path";
import { findPostgres } from "../../embedded/postgres_binaries.ts";
import { findServerUser } from "../../embedded/server_user.ts";
import { openDuckDb } from "../../lib/duckdb/duckdb.ts";
import { StageError } from "../../lib/errors.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { query } from "../../lib/postgres/postgres.ts";
import type { PostgresSettings } from "../../lib/settings/config.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { CertificateAuthority } from "../harness/servers/certificates.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
} from "../harness/servers/cluster.ts";
import { inFolder } from "../harness/in_folder.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { openPlatform } from "../harness/platform.ts";
import { settingsOf } from "../harness/servers/postgres.ts";
import { openTestS3 } from "../harness/servers/s3.ts";
import { fillSmall } from "../harness/companies/small_source.ts";
import { startTlsProxy } from "../harness/servers/tls_proxy.ts";

const NAMES = "DNS:localhost";

interface TlsCase {
  name: string;
  host: string;
  /** The right authority's certificate, another's, or none. */
  trusted: "right" | "wrong" | "none";
  expired?: boolean;
  /** What a refusal says; undefined: it is accepted. */
  refusal?: RegExp;
}

const CASES: TlsCase[] = [
  { name: "the right CA", host: "localhost", trusted: "right" },
  {
    name: "the wrong CA",
    host: "localhost",
    trusted: "wrong",
    refusal: /certificate/i,
  },
  {
    name: "no CA",
    host: "localhost",
    trusted: "none",
    refusal: /certificate/i,
  },
  {
    name: "another host's name",
    host: "127.0.0.1",
    trusted: "right",
    refusal: /altnames|certificate/i,
  },
  {
    name: "a certificate that has expired",
    host: "localhost",
    trusted: "right",
    expired: true,
    refusal: /expired|certificate/i,
  },
];

/** Two authorities: the one that the servers' certificates are of, and not. */
async function openAuthorities(folder: string) {
  const right = await CertificateAuthority.create(join(folder, "right"));
  const wrong = await CertificateAuthority.create(join(folder, "wrong"));
  const files = { right: right.file, wrong: wrong.file, none: undefined };
  return {
    right,
    fileOf: ({ trusted }: TlsCase) => files[trusted],
    valid: await right.issue({ names: NAMES }),
    expired: await right.issue({ names: NAMES, expired: true }),
  };
}

type Authorities = Awaited<ReturnType<typeof openAuthorities>>;

/** Runs a server that shows a certificate, and tries to connect to it. */
async function assertOnPostgres(
  folder: string,
  { authorities, shown }: {
    authorities: Authorities;
    shown: "valid" | "expired";
  },
): Promise<void> {
  const certificate = join(folder, `${shown}.pem`);
  const key = join(folder, `${shown}.key`);
  const dataDir = join(folder, "data");
  await Deno.writeTextFile(certificate, authorities[shown].cert);
  await Deno.writeTextFile(key, authorities[shown].key, { mode: 0o600 });
  const { postgres } = await findPostgres(Deno.env.get("TEST_POSTGRES_BIN"));
  const user = await findServerUser({ dataDir, program: postgres });
  await user.own(certificate);
  await user.own(key);
  await using cluster = await Cluster.start(dataDir, {
    ssl: "on",
    ssl_cert_file: certificate,
    ssl_key_file: key,
  });
  const settings = settingsOf(cluster.server.url(DATABASE));
  for (const one of casesOf(shown)) {
    const caFile = authorities.fileOf(one);
    const verified = {
      ...settings,
      host: one.host,
      tls: { verify: true, caFile },
    };
    if (one.refusal === undefined) {
      assert.equal(await isEncrypted(verified), true, one.name);
    } else {
      await assertRefused(isEncrypted(verified), one, /sslrootcert/);
    }
    const required = { ...verified, tls: { verify: false, caFile } };
    assert.equal(await isEncrypted(required), true, `require: ${one.name}`);
  }
}

function casesOf(shown: "valid" | "expired"): TlsCase[] {
  return CASES.filter(({ expired = false }) =>
    expired === (shown === "expired")
  );
}

async function isEncrypted(settings: PostgresSettings): Promise<boolean> {
  await using connection = await connect(settings, { purpose: "test" });
  const [row] = await query(
    connection.client,
    "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
  );
  return row?.ssl === "t";
}

async function assertRefused(
  attempt: Promise<unknown>,
  { name, refusal }: TlsCase,
  hint: RegExp,
): Promise<void> {
  await assert.rejects(attempt, (error) => {
    assert.ok(error instanceof StageError, `${name}: ${error}`);
    assert.match(error.message, refusal ?? /./, name);
    assert.match(error.hint ?? "", hint, name);
    return true;
  });
}

Deno.test("connect() verifies Postgres's certificate, unless asked to require TLS only", () =>
  inServerFolder(async (folder) => {
    const authorities = await openAuthorities(join(folder, "authorities"));

    await assertOnPostgres(folder, { authorities, shown: "valid" });
    await assertOnPostgres(folder, { authorities, shown: "expired" });
  }));

Deno.test("openZone() and openDuckDb() verify S3's certificate", () =>
  inFolder(async (folder) => {
    const authorities = await openAuthorities(join(folder, "authorities"));
    await using server = await openTestS3();
    const port = Number(new URL(server.endpoint).port);
    await using platform = await openPlatform({
      zones: "S3",
      warehouse: "empty",
    });
    for (const shown of ["valid", "expired"] as const) {
      await using proxy = startTlsProxy({ port }, authorities[shown]);
      for (const one of casesOf(shown)) {
        const s3 = {
          region: "us-east-1",
          accessKeyId: "test",
          secretAccessKey: "testtest",
          endpoint: `https://${one.host}:${proxy.port}`,
          caFile: authorities.fileOf(one),
        };
        const url = platform.config.ingestionUrl;
        const zone = openZone(url, { s3 });
        const config = { ...platform.config, s3 };
        await using duckdb = await openDuckDb(config, { zones: [url] });
        const written = duckdb.run(`copy (select 1) to '${url}/a.csv'`);
        if (one.refusal === undefined) {
          await written;
          assert.equal((await zone.read("a.csv"))?.bytes.length, 4, one.name);
        } else {
          await assert.rejects(written, /certificate/i, one.name);
          await assertRefused(zone.read("a.csv"), one, /AWS_CA_BUNDLE/);
        }
        zone.close();
      }
    }
  }));

Deno.test("the pipeline runs over TLS to S3", () =>
  inFolder(async (folder) => {
    const { right, valid } = await openAuthorities(join(folder, "authorities"));
    await using platform = await openPlatform({
      zones: "S3",
      warehouse: "empty",
    });
    await fillSmall(platform.source.client);
    const { s3 } = platform.config;
    assert.ok(s3?.endpoint !== undefined);
    const port = Number(new URL(s3.endpoint).port);
    await using proxy = startTlsProxy({ port }, valid);
    const endpoint = `https://localhost:${proxy.port}`;
    platform.set({ s3: { ...s3, endpoint, caFile: right.file } });

    await platform.run();

    await assertMirrored(platform);
  }));

Deno.test("openDuckDb() makes both of its HTTP clients verify, permanently", async () => {
  await using platform = await openPlatform({
    zones: "S3",
    warehouse: "empty",
  });
  await using duckdb = await openDuckDb(platform.config, { zones: [] });

  const settings = await duckdb.rows(
    `select name, value from duckdb_settings()
    where name like '%server_cert_verification'`,
  );

  assert.deepEqual(settings.map(({ value }) => value), ["true", "true"]);
  for (const { name } of settings) {
    await assert.rejects(duckdb.run(`set ${name} = false`), /locked/);
  }
});

Deno.test("openZone() names an unreadable CA file", () => {
  assert.throws(
    () =>
      openZone("s3://bucket/zone", {
        s3: { region: "r", caFile: "/nowhere/ca.pem" },
      }),
    { name: "ConfigError", message: /^Cannot read the CA of S3: .*nowhere/ },
  );
});
