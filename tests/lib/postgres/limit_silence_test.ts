import assert from "node:assert/strict";
import { join } from "node:path";
import { findPostgres } from "../../../embedded/postgres_binaries.ts";
import { findServerUser } from "../../../embedded/server_user.ts";
import { connect } from "../../../lib/postgres/connect.ts";
import { copyOut } from "../../../lib/postgres/copy.ts";
import { inTransaction, query } from "../../../lib/postgres/postgres.ts";
import type { PostgresSettings } from "../../../lib/settings/config.ts";
import { CertificateAuthority } from "../../harness/servers/certificates.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
} from "../../harness/servers/cluster.ts";
import {
  openTestDatabase,
  settingsOf,
} from "../../harness/servers/postgres.ts";
import { startSpreadProxy } from "../../harness/servers/spread_proxy.ts";

const SILENT_MS = 1_000;

/** Has a server vanish, and expects that of what waits for it. */
async function assertNoticed(
  settings: PostgresSettings,
  server: { port: number },
): Promise<void> {
  await using proxy = startSpreadProxy(() => server);
  await using connection = await connect({ ...settings, port: proxy.port }, {
    purpose: "test",
    silentMsMax: SILENT_MS,
  });
  const { client } = connection;
  // What is idle, or hears something now and then, is left alone.
  await new Promise((done) => setTimeout(done, 1.5 * SILENT_MS));
  const copied = copyOut(
    client,
    `copy (select case when n < 8 then pg_sleep(0.25) end,
        repeat('x', 300000) from generate_series(1, 10) as n) to stdout`,
  );
  for await (const _piece of copied.pieces);
  assert.equal(copied.rowCount(), 10);

  const vanished = inTransaction(client, {}, async () => {
    proxy.swallow();
    await query(client, "select 1");
  });

  await assert.rejects(vanished, { message: "no answer for 1 seconds" });
}

Deno.test("connect() ends a query whose server vanished silently", async () => {
  await using database = await openTestDatabase();

  await assertNoticed(database.settings, database.settings);
});

Deno.test("connect() ends a query whose server vanished under TLS", () =>
  inServerFolder(async (folder) => {
    const authority = await CertificateAuthority.create(join(folder, "ca"));
    const issued = await authority.issue({ names: "DNS:localhost" });
    const files = { cert: join(folder, "cert"), key: join(folder, "key") };
    const dataDir = join(folder, "data");
    const { postgres } = await findPostgres(Deno.env.get("TEST_POSTGRES_BIN"));
    const user = await findServerUser({ dataDir, program: postgres });
    for (const file of ["cert", "key"] as const) {
      await Deno.writeTextFile(files[file], issued[file], { mode: 0o600 });
      await user.own(files[file]);
    }
    await using cluster = await Cluster.start(dataDir, {
      ssl: "on",
      ssl_cert_file: files.cert,
      ssl_key_file: files.key,
    });
    const settings = settingsOf(cluster.server.url(DATABASE));
    const tls = { verify: true, caFile: authority.file };

    await assertNoticed({ ...settings, host: "localhost", tls }, settings);
  }));

Deno.test("connect() lets a COPY be silent for as long as any query", async () => {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
    silentMsMax: 2 * SILENT_MS,
  });
  const wait = async (seconds: number) => {
    const { pieces } = copyOut(
      connection.client,
      `copy (select pg_sleep(${seconds})) to stdout`,
    );
    for await (const _piece of pieces);
  };
  // A limit of minutes that this process's timers had would run out.
  const { setTimeout } = globalThis;
  using _real = {
    [Symbol.dispose]: () => Object.assign(globalThis, { setTimeout }),
  };
  const hastened = (callback: () => void, ms = 0) =>
    setTimeout(callback, ms / 1000);
  Object.assign(globalThis, { setTimeout: hastened });

  await wait(SILENT_MS / 1000);
  await assert.rejects(wait(60), { message: "no answer for 2 seconds" });
});
