import assert from "node:assert/strict";
import pg from "pg";
import { StageError } from "../../../lib/errors.ts";
import { connect } from "../../../lib/postgres/connect.ts";
import { connectError } from "../../../lib/postgres/connect_error.ts";
import type { PostgresSettings } from "../../../lib/settings/config.ts";
import { freePort } from "../../../embedded/free_port.ts";
import {
  openTestDatabase,
  type TestDatabase,
} from "../../harness/servers/postgres.ts";

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
