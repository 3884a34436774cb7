import assert from "node:assert/strict";
import type { Logger } from "@logtape/logtape";
import { openSnapshot } from "../../extract/snapshot.ts";
import { StageError } from "../../lib/errors.ts";
import { getLogger } from "@logtape/logtape";
import { query, queryRow, serverName } from "../../lib/postgres/postgres.ts";
import { type Config, readConfig } from "../../lib/settings/config.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { execute, PROJECT_SQL } from "../harness/platform.ts";
import {
  openClient,
  openTestDatabase,
  type TestDatabase,
} from "../harness/servers/postgres.ts";

function open(
  { settings }: TestDatabase,
  options: {
    connections?: number;
    after?: string;
    tables?: string[];
    signal?: AbortSignal;
    config?: Partial<Config>;
    log?: Logger;
  } = {},
) {
  const config = readConfig(() => undefined, []);
  const tables = options.tables ?? [];
  return openSnapshot({
    config: {
      ...config,
      source: settings,
      sourceConnections: options.connections ?? 2,
      ...options.config,
    },
    resources: RESOURCES,
    sql: {
      ...PROJECT_SQL,
      tables: tables.map((name) => ({ name, columns: [], key: [] })),
    },
    log: options.log ?? getLogger("silent"),
  }, {
    after: options.after,
    signal: options.signal ?? new AbortController().signal,
  });
}

Deno.test("openSnapshot() shows one state to all of its connections", async () => {
  await using database = await openTestDatabase();
  await execute(
    database.client,
    "create table t (n integer)",
    "insert into t values (1)",
  );
  await using snapshot = await open(database, { connections: 3 });
  await execute(database.client, "insert into t values (2)");

  const seen = await Promise.all(
    Array.from({ length: 3 }, () =>
      snapshot.use(async (client) => {
        // All three are taken before the first is given back.
        await query(client, "select pg_sleep(0.2)");
        return await queryRow(
          client,
          `select pg_backend_pid() as pid, count(*) as rows,
          current_setting('transaction_read_only') as read_only,
          current_setting('transaction_isolation') as isolation,
          current_setting('row_security') as row_security from t`,
        );
      })),
  );

  assert.equal(new Set(seen.map((row) => row.pid)).size, 3);
  for (const { pid: _pid, ...row } of seen) {
    assert.deepEqual(row, {
      rows: "1",
      read_only: "on",
      isolation: "repeatable read",
      row_security: "off",
    });
  }
});

Deno.test("openSnapshot() gives a connection to one piece of work at a time", async () => {
  await using database = await openTestDatabase();
  await using snapshot = await open(database);
  let working = 0;
  let most = 0;

  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, number) =>
      snapshot.use(async (client) => {
        working++;
        most = Math.max(most, working);
        try {
          await query(client, "select pg_sleep(0.02)");
          if (number === 3) throw new Error("its work failed");
          return number;
        } finally {
          working--;
        }
      })),
  );

  assert.equal(most, 2);
  assert.deepEqual(
    results.map((result) => result.status),
    Array.from(
      { length: 8 },
      (_, number) => number === 3 ? "rejected" : "fulfilled",
    ),
  );
});

Deno.test("openSnapshot() takes its watermark from the oldest writer, not the time", async () => {
  await using database = await openTestDatabase();
  await execute(database.client, "create table t (n integer)");
  const early = await openClient(database.url);
  await execute(early, "begin", "insert into t values (1)");
  const { rows: [held] } = await early.query(
    "select pg_current_xact_id()::text as id",
  );
  await execute(
    database.client,
    "insert into t values (2)",
    "insert into t values (3)",
  );

  await using snapshot = await open(database);
  await execute(early, "commit");
  await early.end();

  assert(snapshot.watermark <= BigInt(held.id), String(snapshot.watermark));
  assert(snapshot.nextId >= BigInt(held.id) + 3n, String(snapshot.nextId));
  const rows = await snapshot.use((client) =>
    query(client, "select n from t order by n")
  );
  assert.deepEqual(rows, [{ n: "2" }, { n: "3" }]);
});

Deno.test("openSnapshot() identifies the source's server", async () => {
  await using database = await openTestDatabase();
  const { rows: [truth] } = await database.client.query(
    `select system_identifier || '/' || (select oid from pg_database
        where datname = current_database()) as database_id,
      current_setting('server_version') as version,
      (select timeline_id from pg_control_checkpoint()) as timeline
    from pg_control_system()`,
  );

  await using snapshot = await open(database, { connections: 1 });

  assert.equal(snapshot.databaseId, truth.database_id);
  assert.equal(snapshot.timeline, truth.timeline);
  assert.equal(snapshot.serverVersion, truth.version);
  assert.equal(snapshot.inRecovery, false);
});

Deno.test("openSnapshot() has a later time than the batch before, even if the clock was set back", async () => {
  await using database = await openTestDatabase();
  const isoMicroseconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

  {
    await using now = await open(database, { after: "2020-01-01T00:00:00Z" });
    assert.match(now.time, isoMicroseconds);
    assert(Math.abs(Date.parse(now.time) - Date.now()) < 60_000, now.time);
  }
  await using later = await open(database, {
    after: "2999-12-31T23:59:59.999999Z",
  });
  assert.equal(later.time, "3000-01-01T00:00:00.000000Z");
});

Deno.test("openSnapshot() closes its connections at its end and when it is aborted", async () => {
  await using database = await openTestDatabase();
  {
    await using _snapshot = await open(database);
    // The first, two that read, and one beside them.
    assert.equal(await connectionsTo(database), 4);
  }
  assert.equal(await settled(() => connectionsTo(database), 0), 0);

  const aborting = new AbortController();
  await using snapshot = await open(database, { signal: aborting.signal });
  const sleeping = snapshot.use((client) =>
    query(client, "select pg_sleep(60)")
  );
  const asleep = async () => {
    const { rows } = await database.client.query(
      `select count(*)::int as asleep from pg_stat_activity
      where wait_event = 'PgSleep' and datname = current_database()`,
    );
    return rows[0].asleep;
  };
  assert.equal(await settled(asleep, 1), 1);
  aborting.abort();
  await assert.rejects(sleeping, /Connection terminated/);
});

Deno.test("openSnapshot() prevents changes of its tables' definitions, and blocks no writer", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  await execute(
    client,
    'create table "a ""table""" (n integer)',
    'insert into "a ""table""" values (1)',
    "create view seen as select 1 as n",
    "set lock_timeout = '200ms'",
  );
  const locked = ['a "table"', "seen", "absent"];
  {
    await using snapshot = await open(database, { tables: locked });

    await execute(client, 'insert into "a ""table""" values (2)');
    await assert.rejects(
      client.query('truncate "a ""table"""'),
      /lock timeout/,
    );
    await assert.rejects(
      client.query('alter table "a ""table""" rename to b'),
      /lock timeout/,
    );
    const rows = await snapshot.use((reader) =>
      query(reader, 'select n from "a ""table"""')
    );
    assert.deepEqual(rows, [{ n: "1" }]);
  }
  await execute(client, "set lock_timeout = '5s'", 'truncate "a ""table"""');
});

Deno.test("openSnapshot() sees rows committed while a table was locked, and joins no lock queue", async () => {
  await using database = await openTestDatabase();
  await execute(database.client, "create table t (n integer)");
  const swapping = await openClient(database.url);
  await execute(
    swapping,
    "begin",
    "lock table t in access exclusive mode",
    "insert into t values (1)",
  );

  const opening = open(database, { tables: ["t"] });
  let longestMs = 0;
  for (let look = 0; look < 30; look++) {
    const { rows } = await database.client.query(
      `select coalesce(max(extract(epoch from clock_timestamp() - waitstart)),
        0)::float * 1000 as ms from pg_locks where not granted`,
    );
    longestMs = Math.max(longestMs, rows[0].ms);
    await new Promise((wake) => setTimeout(wake, 20));
  }
  await execute(swapping, "commit");
  await swapping.end();

  await using snapshot = await opening;
  const rows = await snapshot.use((client) => query(client, "select n from t"));
  assert.deepEqual(rows, [{ n: "1" }]);
  assert(longestMs < 100, `${longestMs} ms`);
});

Deno.test("openSnapshot() leaves no connection behind when it fails", async () => {
  await using database = await openTestDatabase();

  await assert.rejects(
    open(database, { after: "no time" }),
    (error) => {
      assert(error instanceof StageError);
      const server = serverName(database.settings);
      assert.match(
        error.message,
        /^Cannot take a snapshot of .*: invalid input syntax for type timestamp/,
      );
      assert(error.message.includes(server));
      assert.equal(error.subject, server);
      assert.equal(error.retryable, false);
      assert.match(error.hint ?? "", /the next run would meet it again/);
      return true;
    },
  );

  assert.equal(await settled(() => connectionsTo(database), 0), 0);
});

/** How many connections extract has to a database. */
async function connectionsTo({ client }: TestDatabase): Promise<number> {
  const { rows } = await client.query(
    `select count(*)::int as open from pg_stat_activity
    where application_name = 'totesys extract'
      and datname = current_database()`,
  );
  return rows[0].open;
}

/** Waits a while for a value, and gives the last. */
async function settled<Value>(
  read: () => Promise<Value>,
  wanted: Value,
): Promise<Value> {
  for (let tries = 0; tries < 50 && await read() !== wanted; tries++) {
    await new Promise((wake) => setTimeout(wake, 20));
  }
  return await read();
}

Deno.test("openSnapshot() reports an unreadable CA file as a fault of the settings", async () => {
  await using database = await openTestDatabase();
  const tls = { verify: true, caFile: "/nowhere/ca.pem" };
  const settings = { ...database.settings, tls };

  await assert.rejects(open({ ...database, settings }), {
    name: "ConfigError",
    message: /^Cannot read the CA of .*: .*\/nowhere\/ca\.pem/,
  });
});
