import assert from "node:assert/strict";
import { join } from "node:path";
import { connect } from "../../../lib/postgres/connect.ts";
import { copyOut } from "../../../lib/postgres/copy.ts";
import {
  inTransaction,
  query,
  queryRow,
  serverName,
} from "../../../lib/postgres/postgres.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
  makeStandby,
} from "../../harness/servers/cluster.ts";
import {
  openTestDatabase,
  settingsOf,
} from "../../harness/servers/postgres.ts";

for (
  const { target, setting, found } of [
    { target: "standby", found: "a primary" },
    { target: "read-only", found: "a primary" },
    { target: "primary" },
    { target: "read-write" },
    { target: "prefer-standby" },
    { target: "read-only", setting: "on" },
    { target: "primary", setting: "on" },
    {
      target: "read-write",
      setting: "on",
      found: "a primary that is read-only by default",
    },
  ] as const
) {
  const what = setting === undefined ? "" : " that only reads";
  Deno.test(`connect() ${found === undefined ? "takes" : "refuses"} a primary${what} for target_session_attrs=${target}`, async () => {
    await using database = await openTestDatabase();
    const server = serverName(database.settings);
    if (setting !== undefined) {
      await database.client.query(
        `alter database ${database.settings.database}
        set default_transaction_read_only to on`,
      );
    }
    const settings = { ...database.settings, sessionTarget: target };
    const connecting = connect(settings, { purpose: "test" });

    if (found === undefined) {
      await using _connection = await connecting;
    } else {
      await assert.rejects(connecting, {
        name: "StageError",
        message:
          `Cannot use ${server}: it is ${found}, and target_session_attrs asks for ${target}`,
        subject: server,
        retryable: true,
      });
    }
  });
}

Deno.test("connect() takes a standby if target_session_attrs asks for one", () =>
  inServerFolder(async (folder) => {
    await using primary = await Cluster.start(join(folder, "primary"));
    await primary.backUpTo(join(folder, "standby"));
    await makeStandby(join(folder, "standby"));
    await using standby = await Cluster.start(join(folder, "standby"));
    const settings = settingsOf(standby.server.url(DATABASE));

    for (const target of ["standby", "read-only", "prefer-standby"] as const) {
      await using _connection = await connect({
        ...settings,
        sessionTarget: target,
      }, { purpose: "test" });
    }
    for (const target of ["primary", "read-write"] as const) {
      await assert.rejects(
        connect({ ...settings, sessionTarget: target }, { purpose: "test" }),
        {
          message:
            /: it is a standby, and target_session_attrs asks for (primary|read-write)$/,
        },
      );
    }
  }));

Deno.test("connect() gives the server the session's name and options", async () => {
  await using database = await openTestDatabase();
  await using connection = await connect({
    ...database.settings,
    applicationName: "nightly",
    options: "-c lock_timeout=7s",
    connectTimeoutMs: 5000,
    keepAlive: false,
  }, { purpose: "test" });

  const row = await queryRow(
    connection.client,
    `select current_setting('application_name') as name,
      current_setting('lock_timeout') as lock_timeout`,
  );

  assert.deepEqual({ ...row }, { name: "nightly", lock_timeout: "7s" });
});

Deno.test("connect() names each file of TLS that can't be read", async () => {
  await using database = await openTestDatabase();
  const tls = {
    verify: true,
    caFile: "/nowhere/ca.pem",
    client: {
      certificateFile: "/nowhere/client.pem",
      keyFile: "/nowhere/client.key",
    },
  };

  await assert.rejects(
    connect({ ...database.settings, tls }, { purpose: "test" }),
    {
      name: "ConfigError",
      message:
        /the CA of .*ca\.pem[^]*certificate of .*client\.pem[^]*key of .*client\.key/,
    },
  );
});

Deno.test("connect() names a CA file that can't be read", async () => {
  await using database = await openTestDatabase();
  const tls = { verify: true, caFile: "/nowhere/ca.pem" };

  await assert.rejects(
    connect({ ...database.settings, tls }, { purpose: "test" }),
    {
      name: "ConfigError",
      message: /^Cannot read the CA of .*: .*\/nowhere\/ca\.pem/,
    },
  );
});

Deno.test("connect() ends the connection when it is aborted", async () => {
  await using database = await openTestDatabase();
  const stop = new AbortController();
  await using connection = await connect(database.settings, {
    purpose: "test",
    signal: stop.signal,
  });
  const asleep = query(connection.client, "select pg_sleep(60)");

  stop.abort();

  await assert.rejects(asleep, /Connection terminated/);
});

Deno.test("connect() ends a connection that is established after the abort", async () => {
  await using database = await openTestDatabase();
  const stop = new AbortController();
  const connecting = connect(database.settings, {
    purpose: "test",
    signal: stop.signal,
  });

  stop.abort();

  await assert.rejects(connecting, { name: "AbortError" });
});

Deno.test("connect() survives a connection that the server ends", async () => {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const row = await queryRow(
    connection.client,
    "select pg_backend_pid() as pid",
  );
  const ended = new Promise((done) => connection.client.once("end", done));

  await database.client.query("select pg_terminate_backend($1)", [row.pid]);
  await ended;

  const says = /terminating connection due to administrator command/;
  const { client } = connection;
  await assert.rejects(query(client, "select 1"), says);
  await assert.rejects(client.query("select 1"), says);
  await assert.rejects(inTransaction(client, {}, async () => {}), says);
  const { pieces } = copyOut(client, "copy (select 1) to stdout");
  await assert.rejects(pieces[Symbol.asyncIterator]().next(), says);
});
