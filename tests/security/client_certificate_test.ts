import assert from "node:assert/strict";
import { join } from "node:path";
import { findPostgres } from "../../embedded/postgres_binaries.ts";
import { findServerUser } from "../../embedded/server_user.ts";
import { StageError } from "../../lib/errors.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { queryRow } from "../../lib/postgres/postgres.ts";
import { CertificateAuthority } from "../harness/servers/certificates.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
} from "../harness/servers/cluster.ts";
import { settingsOf } from "../harness/servers/postgres.ts";

/** Whom the server lets in, and by what. */
const RULES = `hostssl all certified all cert
hostssl all twofold all scram-sha-256 clientcert=verify-full
host all all all scram-sha-256
`;
const KEY_PASSWORD = "zq7KeyPassword9x";

async function encryptKey(from: string, to: string): Promise<void> {
  const { success } = await new Deno.Command("openssl", {
    args: ["pkcs8", "-topk8", "-in", from, "-out", to].concat([
      "-passout",
      `pass:${KEY_PASSWORD}`,
    ]),
  }).output();
  assert.ok(success);
}

/** What is wrong with a login, as the error says it. */
const REFUSED = [
  {
    login: "certified",
    files: undefined,
    found: /requires a valid client certificate/,
    hint: /^The server requires a client certificate: set sslcert/,
  },
  {
    login: "twofold:a-password",
    files: undefined,
    found: /requires a valid client certificate/,
    hint: /^The server requires a client certificate: set sslcert/,
  },
  {
    login: "certified",
    files: { cert: "other.pem", key: "other.key" },
    found: /certificate authentication failed for user "certified"/,
    hint: /^Check that sslcert and sslkey are those of the user/,
  },
];

/** Files of a client's certificate, and further parameters. */
interface ClientFiles {
  cert: string;
  key: string;
  more?: string;
}

/** Makes the certificates of a server and of two clients, by their names. */
async function makeCertificates(at: (name: string) => string): Promise<void> {
  const authority = await CertificateAuthority.create(at("authority"));
  const server = await authority.issue({ names: "DNS:localhost" });
  await Deno.writeTextFile(at("server.pem"), server.cert);
  await Deno.writeTextFile(at("server.key"), server.key, { mode: 0o600 });
  for (const subject of ["certified", "other"]) {
    const names = `DNS:${subject}`;
    const client = await authority.issue({ names, subject });
    await Deno.writeTextFile(at(`${subject}.pem`), client.cert);
    await Deno.writeTextFile(at(`${subject}.key`), client.key);
  }
  await encryptKey(at("certified.key"), at("locked.key"));
  await Deno.copyFile(authority.file, at("ca.pem"));
}

/** Starts a server that asks clients for certificates. */
async function startServer(at: (name: string) => string): Promise<Cluster> {
  await Deno.writeTextFile(at("hba"), RULES);
  const { postgres } = await findPostgres(Deno.env.get("TEST_POSTGRES_BIN"));
  const user = await findServerUser({ dataDir: at("data"), program: postgres });
  for (const name of ["server.pem", "server.key", "hba", "ca.pem"]) {
    await user.own(at(name));
  }
  return await Cluster.start(at("data"), {
    ssl: "on",
    ssl_cert_file: at("server.pem"),
    ssl_key_file: at("server.key"),
    ssl_ca_file: at("ca.pem"),
    hba_file: at("hba"),
  });
}

Deno.test("a server gets the client's certificate it asks for, and a client without one gets a hint", () =>
  inServerFolder(async (folder) => {
    const at = (name: string) => join(folder, name);
    await makeCertificates(at);
    await using cluster = await startServer(at);
    await cluster.client.query(
      "create role certified login; create role twofold login password 'a-password'",
    );
    const { port } = cluster.server;
    const logIn = async (
      login: string,
      files: ClientFiles | undefined,
    ) => {
      const client = files === undefined
        ? ""
        : `&sslcert=${at(files.cert)}&sslkey=${at(files.key)}${
          files.more ?? ""
        }`;
      await using connection = await connect(
        settingsOf(
          `postgres://${login}@localhost:${port}/${DATABASE}?sslrootcert=${
            at("ca.pem")
          }${client}`,
        ),
        { purpose: "test" },
      );
      return await queryRow(
        connection.client,
        "select current_user as name, client_dn from pg_stat_ssl where pid = pg_backend_pid()",
      );
    };
    const own = { cert: "certified.pem", key: "certified.key" };
    const locked = { cert: "certified.pem", key: "locked.key" };

    assert.equal((await logIn("certified", own)).client_dn, "/CN=certified");
    const opened = { ...locked, more: `&sslpassword=${KEY_PASSWORD}` };
    assert.equal((await logIn("certified", opened)).name, "certified");
    for (const { login, files, found, hint } of REFUSED) {
      await assert.rejects(logIn(login, files), (error) => {
        assert.ok(error instanceof StageError, String(error));
        assert.match(error.message, found);
        assert.match(error.hint ?? "", hint);
        assert.equal(error.retryable, false);
        return true;
      });
    }
    for (const more of ["", "&sslpassword=wrong"]) {
      await assert.rejects(logIn("certified", { ...locked, more }), {
        name: "ConfigError",
        message: /locked\.key is not a key in PEM, or sslpassword/,
      });
    }
  }));
