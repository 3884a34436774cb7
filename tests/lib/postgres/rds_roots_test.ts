import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { connect as connectTls } from "node:tls";
import { rdsRoots } from "../../../lib/postgres/rds_roots.ts";
import { readTlsFiles } from "../../../lib/settings/tls_files.ts";
import { CertificateAuthority } from "../../harness/servers/certificates.ts";
import { inFolder } from "../../harness/in_folder.ts";

const HOST = "db.c1abc.eu-west-2.rds.amazonaws.com";
const YEARS_MIN = 10;
const KEYS = ["ECC384", "RSA4096", "RSA2048"];

Deno.test("rdsRoots() has each root of a region, valid for years", async () => {
  const roots = (await rdsRoots(HOST) ?? []).map((pem) =>
    new X509Certificate(pem)
  );
  const soonest = Date.now() + YEARS_MIN * 365 * 86_400_000;

  for (const region of ["eu-west-2", "us-east-1", "ap-southeast-2"]) {
    for (const key of KEYS) {
      const root = roots.find(({ subject }) =>
        subject.includes(`CN=Amazon RDS ${region} Root CA ${key} G1`)
      );
      assert(root !== undefined, `${region} ${key}`);
      assert.equal(root.verify(root.publicKey), true);
      assert.ok(Date.parse(root.validTo) > soonest, root.validTo);
    }
  }
});

Deno.test("rdsRoots() apply to RDS only", async () => {
  for (
    const host of [
      "localhost",
      "db.example.com",
      "rds.amazonaws.com.example.com",
      "evilrds.amazonaws.com",
    ]
  ) {
    assert.equal(await rdsRoots(host), undefined, host);
  }
});

Deno.test("sslrootcert replaces RDS's certificates", () =>
  inFolder(async (folder) => {
    const caFile = `${folder}/ca.pem`;
    await Deno.writeTextFile(caFile, "own");
    const roots = await rdsRoots(HOST);
    const options = { server: "server", roots };

    const own = readTlsFiles({ verify: true, caFile }, options);
    const usual = readTlsFiles({ verify: true, caFile: undefined }, options);

    assert.equal(own.ca, "own");
    assert.equal(usual.ca, roots);
  }));

Deno.test("a server is trusted through one of the roots, and through no other authority", () =>
  inFolder(async (folder) => {
    const roots = await rdsRoots(HOST) ?? [];
    const authority = await CertificateAuthority.create(folder);
    const server = Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      ...await authority.issue({ names: `DNS:${HOST}` }),
    });
    const { port } = server.addr;
    const greet = async (ca: string[]) => {
      const accepting = server.accept()
        .then(async (connection) => {
          await connection.handshake().catch(() => {});
          connection.close();
        });
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const socket = connectTls(
        { host: "127.0.0.1", port, servername: HOST, ca },
        resolve,
      );
      socket.on("error", reject);
      await promise.finally(() => socket.destroy());
      await accepting;
    };

    await greet([...roots, await Deno.readTextFile(authority.file)]);
    await assert.rejects(greet(roots), /certificate|issuer/i);
    server.close();
  }));
