import assert from "node:assert/strict";
import { join } from "node:path";
import pg from "pg";
import { StageError } from "../../../lib/errors.ts";
import { connect } from "../../../lib/postgres/connect.ts";
import { connectError } from "../../../lib/postgres/connect_error.ts";
import { copyOut } from "../../../lib/postgres/copy.ts";
import {
  inTransaction,
  query,
  queryRow,
  serverName,
  sqlState,
} from "../../../lib/postgres/postgres.ts";
import { quoteName, quoteNames, quoteText } from "../../../lib/sql/quote.ts";
import type { PostgresSettings } from "../../../lib/settings/config.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
  makeStandby,
} from "../../harness/cluster.ts";
import { freePort } from "../../../embedded/free_port.ts";
import { openPooler, testPooler } from "../../harness/pgbouncer.ts";
import {
  openTestDatabase,
  settingsOf,
  type TestDatabase,
} from "../../harness/postgres.ts";

const WRONG = "wr0ng-passw0rd";

interface Refusal {
  name: string;
  settings: (
    database: TestDatabase,
  ) => Partial<PostgresSettings> | Promise<Partial<PostgresSettings>>;
  /** The host, if it isn't the server's. */
  server?: string;
  found: RegExp;
  hint: RegExp;
  retryable: boolean;
}

const REFUSALS: Refusal[] = [
  {
    name: "a server that isn't there",
    settings: () => ({ port: freePort(), password: WRONG }),
    found: /ECONNREFUSED/,
    hint: /^Check that the server runs/,
    retryable: true,
  },
  {
    name: "a wrong password",
    settings: () => ({ password: WRONG }),
    found: /password authentication failed for user "postgres"/,
    hint: /^Check the password and the rights of the user "postgres"$/,
    retryable: false,
  },
  {
    name: "a missing password",
    settings: () => ({ password: undefined }),
    found: /: no password is set$/,
    hint: /^Put it into the URL, .* or into PGPASSWORD$/,
    retryable: false,
  },
  {
    name: "a database that isn't there",
    settings: () => ({ database: "nowhere" }),
    found: /database "nowhere" does not exist/,
    hint: /^Check the database's name/,
    retryable: false,
  },
  {
    name: "a server without TLS",
    settings: () => ({ tls: { verify: true, caFile: undefined } }),
    found: /does not support SSL/,
    hint: /sslmode=disable/,
    retryable: false,
  },
  {
    name: "a database that isn't there and whose name reads like a message",
    settings: () => ({ database: "alerts" }),
    found: /database "alerts" does not exist/,
    hint: /^Check the database's name/,
    retryable: false,
  },
  {
    name: "a host that isn't known and whose name reads like a message",
    settings: () => ({ host: "certificates.invalid" }),
    server: "certificates.invalid",
    found: /ENOTFOUND|EAI_AGAIN/,
    hint: /^Check (the host's name|that the server runs)/,
    retryable: true,
  },
  {
    name: "a user who may not log in and whose name reads like a message",
    settings: async ({ client, settings }) => {
      const user = `crowded_alert_${settings.database}`;
      await client.query(`create role ${user} password '${WRONG}'`);
      return { user, password: WRONG };
    },
    found: /is not permitted to log in/,
    hint: /^Allow it: alter role "crowded_alert_.*" login$/,
    retryable: false,
  },
  {
    name: "a database that the user may not enter",
    settings: async ({ client, settings }) => {
      const user = `crowded_${settings.database}`;
      await client.query(
        `create role ${user} login password '${WRONG}';
        revoke connect on database ${settings.database} from public`,
      );
      return { user, password: WRONG };
    },
    found: /permission denied for database/,
    hint: /^Allow it: grant connect on database "test_.*" to "crowded_/,
    retryable: false,
  },
  {
    name: "a database that takes no connections",
    settings: () => ({ database: "template0" }),
    found: /not currently accepting connections/,
    hint: /^Name another database/,
    retryable: false,
  },
  {
    name: "an option that the server does not know",
    settings: () => ({ options: "-c serch_path=sales" }),
    found: /unrecognized configuration parameter "serch_path"/,
    hint: /^Correct the options in the URL/,
    retryable: false,
  },
  {
    name: "an option with a wrong value",
    settings: () => ({ options: "-c datestyle=english" }),
    found: /invalid value for parameter "DateStyle"/,
    hint: /^Correct the options in the URL/,
    retryable: false,
  },
  {
    name: "a role without a connection left",
    settings: async ({ client, settings }) => {
      const user = `crowded_${settings.database}`;
      await client.query(
        `create role ${user} login password '${WRONG}' connection limit 0`,
      );
      return { user, password: WRONG };
    },
    found: /too many connections for role/,
    hint: /^Its connection limit is reached: .* alter role "crowded_/,
    retryable: true,
  },
];

for (const refusal of REFUSALS) {
  Deno.test(`connect() names ${refusal.name}, not the password`, async () => {
    await using database = await openTestDatabase();
    const settings = {
      ...database.settings,
      ...await refusal.settings(database),
    };

    await assert.rejects(connect(settings, { purpose: "test" }), (error) => {
      assert(error instanceof StageError);
      const host = refusal.server ?? "127.0.0.1";
      const server = `${host}:${settings.port}/${settings.database}`;
      const { message, subject, hint, retryable } = error;
      assert.ok(message.startsWith(`Cannot connect to ${server}: `), message);
      assert.match(message, refusal.found);
      assert.match(hint ?? "", refusal.hint);
      assert.deepEqual([subject, retryable], [server, refusal.retryable]);
      assert.doesNotMatch(
        message + JSON.stringify(error),
        new RegExp(WRONG),
      );
      return true;
    });
    await dropRole(database);
  });
}

Deno.test("connectError() doesn't blame the password if none was asked for", async () => {
  await using database = await openTestDatabase();
  const { settings } = database;
  const hintOf = (message: string) => {
    const error = new pg.DatabaseError(message, message.length, "error");
    error.code = "28000";
    return connectError(error, settings).hint ?? "";
  };

  assert.match(
    hintOf('Peer authentication failed for user "postgres"'),
    /^The server accepts "postgres" only from the operating system's user of that name/,
  );
  assert.match(
    hintOf('no pg_hba.conf entry for host "10.0.0.1", user "postgres"'),
    /pg_hba\.conf; if it requires TLS, add \?sslmode=verify-full/,
  );
});

Deno.test("connect() tells a server that answers from one that can't be reached", async () => {
  await using database = await openTestDatabase();
  const { client, settings } = database;
  await client.query(
    `alter database "${settings.database}" set local_preload_libraries to 'gone'`,
  );

  await assert.rejects(connect(settings, { purpose: "test" }), {
    message: /could not access file/,
    hint: /^The server answers, and refuses the connection/,
    retryable: false,
  });

  const starting = "the database system is starting up";
  const error = new pg.DatabaseError(starting, starting.length, "error");
  error.code = "57P03";
  const { hint, retryable } = connectError(error, settings);
  assert.match(hint ?? "", /^The server runs, and takes no connections while/);
  assert.equal(retryable, true);
});

testPooler("connect() says what a pooler refuses", async () => {
  await using database = await openTestDatabase();
  await using pooler = await openPooler(database.settings, {
    mode: "transaction",
  });

  for (
    const { settings, found, hint, loginRefused } of [
      {
        settings: { options: "-c search_path=sales" },
        found: /unsupported startup parameter/,
        hint: /^The pooler there does not pass it on: remove it from the URL/,
        loginRefused: false,
      },
      {
        settings: { database: "nowhere" },
        found: /database "nowhere" does not exist/,
        hint: /^Check the database's name/,
        loginRefused: false,
      },
      {
        settings: { password: WRONG },
        found: /password authentication failed/,
        hint: /^Check the password and the rights of the user/,
        loginRefused: true,
      },
    ]
  ) {
    await assert.rejects(
      connect({ ...pooler.settings, ...settings }, { purpose: "test" }),
      { message: found, hint, retryable: false, loginRefused },
    );
  }
});

testPooler("connect() says that a pooler takes no such login", async () => {
  await using database = await openTestDatabase();
  const folder = await Deno.makeTempDir({ prefix: "totesys-hba-" });
  await Deno.chmod(folder, 0o755);
  const hba = join(folder, "hba.conf");
  await Deno.writeTextFile(
    hba,
    `host all ${database.settings.user} 0.0.0.0/0 trust\n`,
  );

  for (
    const { settings, found } of [
      {
        settings: ["auth_type = trust"],
        found: /: "trust" authentication failed$/,
      },
      {
        settings: ["auth_type = hba", `auth_hba_file = ${hba}`],
        found: /: login rejected$/,
      },
    ]
  ) {
    await using pooler = await openPooler(database.settings, {
      mode: "transaction",
      settings,
    });
    await assert.rejects(
      connect({ ...pooler.settings, user: "nobody" }, { purpose: "test" }),
      {
        message: found,
        hint: 'Check the password and the rights of the user "nobody"',
        retryable: false,
        loginRefused: true,
      },
    );
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("connectError() recognises a pooler's permanent refusals", async () => {
  await using database = await openTestDatabase();
  const user = database.settings.user;

  for (
    const [message, hint] of [
      ["SSL required", /^The pooler requires TLS/],
      ["certificate authentication failed", /client certificate/],
      ["PAM authentication failed", `Check the password .* "${user}"`],
      ["unix socket login rejected", `Check the password .* "${user}"`],
      [
        "unsupported options startup parameter: only '-c config=val' is allowed",
        /^The pooler there does not pass it on/,
      ],
    ] as const
  ) {
    const error = new pg.DatabaseError(message, message.length, "error");
    error.code = "08P01";
    const { retryable, hint: given } = connectError(error, database.settings);
    assert.equal(retryable, false, message);
    assert.match(given ?? "", new RegExp(hint));
  }
});

Deno.test("connect() masks a password that the server prints", async () => {
  await using database = await openTestDatabase();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answered = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(1024));
    await connection.write(errorResponse(`"${WRONG}" is wrong`));
  })();
  const { port } = listener.addr;

  await assert.rejects(
    connect({ ...database.settings, port, password: WRONG }, {
      purpose: "test",
    }),
    { name: "StageError", message: /: "\*\*\*" is wrong$/ },
  );

  await answered;
});

Deno.test("connect() masks no word of a message because of a short password", async () => {
  await using database = await openTestDatabase();
  const settings = { ...database.settings, database: "nowhere" };

  for (const password of ["x", "no", "exist", "data"]) {
    await assert.rejects(
      connect({ ...settings, user: "nobody", password }, { purpose: "test" }),
      { message: /: password authentication failed for user "nobody"$/ },
    );
  }
});

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

Deno.test("inTransaction() fixes the format of values whatever the settings, and restores the settings", async () => {
  await using database = await openTestDatabase();
  const name = database.settings.database;
  await database.client.query(
    `alter database ${name} set timezone to 'Asia/Tokyo';
    alter database ${name} set datestyle to 'German';
    alter database ${name} set statement_timeout to '7s';
    alter database ${name} set default_transaction_isolation to serializable`,
  );
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;
  const session = () =>
    queryRow(
      client,
      `select current_setting('timezone') as zone,
        current_setting('datestyle') as style,
        current_setting('statement_timeout') as timeout,
        current_setting('work_mem') as memory`,
    );
  const before = await session();

  const rows = await inTransaction(
    client,
    { settings: { work_mem: "77MB" } },
    () =>
      query(
        client,
        `select 0.1::numeric(10,2) as money, 9007199254740993 as big,
          null as none, true as flag, date '2026-03-01' as day,
          timestamptz '2026-03-01 08:09:10.123456+01' as moment,
          $1::text as given, current_setting('application_name') as application,
          current_setting('statement_timeout') as timeout,
          current_setting('work_mem') as memory,
          current_setting('transaction_isolation') as isolation`,
        ["x"],
      ),
  );

  assert.deepEqual(rows.map((row) => ({ ...row })), [{
    money: "0.10",
    big: "9007199254740993",
    none: null,
    flag: "t",
    day: "2026-03-01",
    moment: "2026-03-01 07:09:10.123456+00",
    given: "x",
    application: "totesys test",
    timeout: "0",
    memory: "77MB",
    isolation: "read committed",
  }]);
  assert.deepEqual(await session(), before);
});

Deno.test("inTransaction() rolls back failed work, and leaves the connection usable", async () => {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;

  await assert.rejects(
    inTransaction(client, {}, async () => {
      await client.query("create table gone (n integer)");
      await client.query("select 1 / 0");
    }),
    /division by zero/,
  );
  await assert.rejects(
    inTransaction(
      client,
      { readOnly: true },
      () => client.query("create table gone (n integer)"),
    ),
    /read-only transaction/,
  );

  const row = await queryRow(client, "select to_regclass('gone') as gone");
  assert.equal(row.gone, null);
});

Deno.test("inTransaction() lifts transaction_timeout", async () => {
  await using database = await openTestDatabase();
  const { rows: [server] } = await database.client.query(
    "show server_version_num",
  );
  if (server.server_version_num < 170_000) return;
  await database.client.query(
    `alter database ${database.settings.database}
    set transaction_timeout to '300ms'`,
  );
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;

  const row = await inTransaction(
    client,
    {},
    () => queryRow(client, "select 1 as one from pg_sleep(1)"),
  );

  assert.equal(row.one, "1");
});

Deno.test("queryRow() throws when no row comes back", async () => {
  await using database = await openTestDatabase();

  await assert.rejects(queryRow(database.client, "select 1 where false"), {
    message: "No row came back from: select 1 where false",
  });
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

Deno.test("sqlState() is only set for errors that Postgres sent", async () => {
  await using database = await openTestDatabase();

  const error = await query(database.client, "select 1 / 0").catch((e) => e);

  assert.equal(sqlState(error), "22012");
  assert.equal(sqlState(new Error("22012")), undefined);
});

Deno.test("names and texts are quoted so that the server reads them back", async () => {
  await using database = await openTestDatabase();
  const odd = `a "b" 'c' \\ d; -- €`;

  const rows = await query(
    database.client,
    `select ${quoteText(odd)} as ${quoteName(odd)}`,
  );

  assert.deepEqual(rows.map((row) => ({ ...row })), [{ [odd]: odd }]);
  assert.equal(quoteNames(["a", "B"], "t."), 't."a", t."B"');
});

async function dropRole({ client, settings }: TestDatabase): Promise<void> {
  await client.query(
    `drop role if exists crowded_${settings.database};
    drop role if exists crowded_alert_${settings.database}`,
  );
}

/** An error as a server sends it. */
function errorResponse(message: string): Uint8Array<ArrayBuffer> {
  const fields = ["SFATAL", "C28P01", `M${message}`, ""].join("\0") + "\0";
  const bytes = new TextEncoder().encode(`E....${fields}`);
  new DataView(bytes.buffer).setInt32(1, bytes.length - 1);
  return bytes;
}
