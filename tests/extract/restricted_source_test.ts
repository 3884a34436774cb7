import assert from "node:assert/strict";
import { join } from "node:path";
import { StageError } from "../../lib/errors.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { examine } from "../../operate/examine.ts";
import { changedZones } from "../harness/changed_zone.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
} from "../harness/servers/cluster.ts";
import { ingestionManifest } from "../harness/manifests.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../harness/platform.ts";
import { openPooler, testPooler } from "../harness/servers/pgbouncer.ts";
import { openTestDatabase, settingsOf } from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

const ITEM = `create table item (
    item_id integer not null,
    label text,
    primary key (item_id)
);`;

/** A platform whose source is read by a role with these grants alone. */
async function openAs(
  grants: (role: string) => string[],
  options: { contract?: string; sourceSql?: string } = {},
): Promise<Platform & { role: string }> {
  const { contract, sourceSql } = options;
  const platform = await openPlatform(
    contract === undefined ? {} : {
      sql: { ...PROJECT_SQL, tables: parseContract(contract) },
      sourceSql: sourceSql ?? contract,
    },
  );
  const { client } = platform.source;
  if (contract === undefined) await fillSmall(client);
  const role = `reader_${crypto.randomUUID().replaceAll("-", "")}`;
  await execute(
    client,
    `create role ${role} login password 'hunter2'`,
    ...grants(role),
  );
  const { source } = platform.config;
  assert(source !== undefined);
  platform.set({ source: { ...source, user: role, password: "hunter2" } });
  return {
    ...platform,
    role,
    [Symbol.asyncDispose]: async () => {
      await execute(client, `drop owned by ${role}`);
      await platform[Symbol.asyncDispose]();
      await using other = await openTestDatabase();
      await execute(other.client, `drop role ${role}`);
    },
  };
}

const ALL = (role: string) => [
  `grant select on all tables in schema public to ${role}`,
];

Deno.test("extract() lifts the limits of its role and its database", async () => {
  const { rows: [{ version }] } = await versionOf();
  const limits = [
    "statement_timeout = '300ms'",
    "lock_timeout = '1ms'",
    "idle_in_transaction_session_timeout = '100ms'",
    "idle_session_timeout = '200ms'",
    "default_transaction_isolation = serializable",
    "default_transaction_read_only = on",
    "standard_conforming_strings = off",
    "timezone = 'Asia/Kolkata'",
    "datestyle = 'SQL, DMY'",
    "intervalstyle = 'sql_standard'",
    "extra_float_digits = 0",
    "bytea_output = 'escape'",
    "quote_all_identifiers = on",
    "search_path = 'nowhere'",
    ...version < 170_000 ? [] : ["transaction_timeout = '300ms'"],
  ];
  await using platform = await openAs(
    (role) => [
      ...ALL(role),
      ...limits.map((limit) => `alter role ${role} set ${limit}`),
    ],
    {
      contract: `create table item (
    item_id integer not null,
    label text,
    at timestamptz,
    -- carried from interval
    lasts text,
    -- carried from bytea
    bytes text,
    -- carried from real
    ratio text,
    -- carried from mood
    mood text,
    primary key (item_id)
);`,
      sourceSql: `create type mood as enum ('fine');
        create table item (item_id integer primary key, label text,
        at timestamptz, lasts interval, bytes bytea, ratio real, mood mood);
        insert into item select n, 'a\\b', '2024-02-01 10:00Z', '1 day 2 hours',
          '\\x00ff', 0.1::real, 'fine'
        from generate_series(1, 50000) as n`,
    },
  );
  let pieces = 0;
  await platform.extract();
  platform.context.progress = {
    ...platform.context.progress,
    // The server is idle in a transaction, longer than it would be let.
    begin: () => {
      const untilMs = performance.now() + 500;
      while (performance.now() < untilMs) pieces++;
    },
  };
  await execute(platform.source.client, "update item set label = 'c\\d'");
  await platform.extract();

  const { tables } = await ingestionManifest(platform, 2);
  assert.equal(tables.item?.rows[0]?.rows, 50_000);
  const text = await Deno.readTextFile(
    `${platform.config.ingestionUrl}/${tables.item?.rows[0]?.key}`,
  );
  assert.equal(
    text.split("\n").find((line) => line.startsWith("7,")),
    "7,c\\d,2024-02-01 10:00:00+00,P1DT2H,\\x00ff,0.1,fine",
  );
  assert(pieces > 0);
});

async function versionOf() {
  await using database = await openTestDatabase();
  return await database.client.query(
    "select current_setting('server_version_num')::int as version",
  );
}

Deno.test("extract() needs no right beyond SELECT on the contract's columns", async () => {
  const columns = parseContract(ITEM)[0]?.columns.map(({ name }) => name) ?? [];
  await using platform = await openAs(
    (role) => [`grant select (${columns}) on item to ${role}`],
    {
      contract: ITEM,
      sourceSql:
        "create table item (item_id int primary key, label text, secret text)",
    },
  );
  const { client } = platform.source;
  await execute(client, "insert into item values (1, 'a', 'x')");

  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError);
    assert.equal(
      error.message,
      'Cannot read "item": permission denied for its columns xmin, ctid',
    );
    assert.equal(error.subject, "item");
    assert.equal(error.retryable, false);
    assert.ok(
      error.hint?.endsWith(
        `grant select ("xmin", "ctid") on "public"."item" to "${platform.role}"`,
      ),
    );
    return true;
  });
  const [source] = await examine(platform.context);
  assert.match(source?.hint ?? "", /grant select \("xmin", "ctid"\)/);

  await execute(
    client,
    `grant select (xmin, ctid) on item to ${platform.role}`,
  );
  await platform.extract();
  await execute(client, "update item set label = 'b'", "truncate item");
  platform.set({ deleteShareMax: 1 });
  await platform.extract();
  const { tables } = await ingestionManifest(platform, 2);
  assert.equal(tables.item?.deletes[0]?.rows, 1);
});

Deno.test("extract() reports a schema without USAGE", async () => {
  await using platform = await openAs(
    (role) => [`grant select on all tables in schema sales to ${role}`],
    {
      contract: ITEM,
      sourceSql: `create schema sales; ${ITEM}
      alter table item set schema sales`,
    },
  );
  platform.set({ sourceSchema: "sales" });

  await assert.rejects(platform.extract(), {
    message: 'Cannot read "item": permission denied for schema sales',
    hint: /grant usage on schema "sales" to "reader_/,
  });
  await execute(
    platform.source.client,
    `grant usage on schema sales to ${platform.role}`,
  );
  await platform.extract();
});

Deno.test("extract() reads a partitioned table by the right to read its parent", async () => {
  await using platform = await openAs(
    (role) => [`grant select on item to ${role}`],
    {
      contract: ITEM,
      sourceSql: `create table item (item_id int primary key, label text)
          partition by range (item_id);
        create table low partition of item for values from (0) to (100000);
        create table high partition of item for values from (100000) to (200000);
        insert into item select n, repeat('x', 100)
        from generate_series(1, 120000, 3) as n`,
    },
  );
  const { client } = platform.source;

  await platform.extract();
  await execute(
    client,
    "create table more partition of item for values from (200000) to (300000)",
    "insert into item values (200001, 'new')",
  );
  await platform.extract();

  const first = (await ingestionManifest(platform, 1)).tables.item;
  const second = (await ingestionManifest(platform, 2)).tables.item;
  const rowsOf = (table: typeof first) =>
    table?.rows.reduce((sum, file) => sum + file.rows, 0);
  assert.deepEqual([rowsOf(first), rowsOf(second)], [40_000, 40_001]);
});

Deno.test("extract() commits nothing when a partition is attached meanwhile", async () => {
  await using platform = await openAs(ALL, {
    contract: ITEM,
    sourceSql: `create table item (item_id int primary key, label text)
        partition by range (item_id);
      create table low partition of item for values from (0) to (100000);
      create table high (like item including all);
      insert into high values (100001, 'not yet');
      insert into low values (1, 'x')`,
  });
  const { client } = platform.source;
  platform.context.progress = {
    ...platform.context.progress,
    begin: () => {},
    add: () => {
      attached ??= client.query(
        "alter table item attach partition high for values from (100000) to (200000)",
      );
    },
  };
  let attached: Promise<unknown> | undefined;
  platform.context.resources = changedZones(
    platform.context.resources,
    (zone) => ({
      write: async (...given) => {
        const bytes = await zone.write(...given);
        await attached;
        return bytes;
      },
    }),
  );

  await assert.rejects(platform.extract(), {
    message:
      'Cannot read "item": a partition was attached or detached meanwhile',
    retryable: true,
  });
  await platform.extract();
  const { tables } = await ingestionManifest(platform, 1);
  assert.equal(tables.item?.sourceRows, 2);
});

Deno.test("extract() works where a service hides the server's identity", async () => {
  await using platform = await openAs(ALL);
  const { client } = platform.source;
  await platform.extract();
  const told = (await ingestionManifest(platform, 1)).source;

  await execute(
    client,
    "revoke execute on function pg_current_wal_lsn() from public",
    insertOrder(8),
  );
  await platform.extract();
  assert.deepEqual(platform.logged.filter((line) => /not show/.test(line)), []);

  await execute(
    client,
    "revoke execute on function pg_control_checkpoint() from public",
    "revoke execute on function pg_control_system() from public",
    insertOrder(9),
  );
  await platform.extract();
  const { source, tables } = await ingestionManifest(platform, 3);
  assert.deepEqual(
    [source.databaseId, source.timeline, source.earlier],
    [told.databaseId, told.timeline, []],
  );
  assert.equal(tables.sales_order?.fullRead, undefined);
  assert.equal(tables.sales_order?.rows[0]?.rows, 1);
  assert.deepEqual(platform.logged.filter((line) => /not show/.test(line)), [
    "warning: the source does not show its system identifier and its timeline: " +
    "only transaction ids and rows will show that it is another server, " +
    "or was set back (permission denied for function pg_control_system; " +
    "permission denied for function pg_current_wal_lsn; permission denied for function pg_control_checkpoint)",
  ]);

  // A lake that begins so goes on when more is told.
  platform.set({ ingestionUrl: `${platform.config.ingestionUrl}_other` });
  await platform.extract();
  assert.match(
    (await ingestionManifest(platform, 1)).source.databaseId,
    /^unknown\/\d+$/,
  );
  await execute(
    client,
    "grant execute on function pg_control_checkpoint() to public",
    "grant execute on function pg_control_system() to public",
  );
  await platform.extract();
  const second = await ingestionManifest(platform, 2);
  assert.equal(second.source.databaseId, told.databaseId);
  assert.equal(second.tables.staff?.fullRead, undefined);
});

Deno.test("extract() names the function that it may not call", async () => {
  await using platform = await openAs(ALL);
  const { client } = platform.source;
  for (
    const name of [
      "pg_current_snapshot()",
      "pg_postmaster_start_time()",
      "pg_is_in_recovery()",
    ]
  ) {
    await execute(client, `revoke execute on function ${name} from public`);
    await assert.rejects(platform.extract(), {
      message: new RegExp(
        `^Cannot take a snapshot of .*: permission denied for function ${
          name.slice(0, -2)
        }$`,
      ),
      hint: /^Grant the source role the privilege that the message names/,
      retryable: false,
    });
    await execute(client, `grant execute on function ${name} to public`);
  }
  await execute(client, "revoke select on pg_database from public");

  await platform.extract();

  assert.match(
    platform.logged.join(),
    /the source does not show its database's id: only/,
  );
  await execute(client, "grant select on pg_database to public");
});

testPooler(
  "extract() refuses a pooler that allows no transactions, and needs one session of another",
  async () => {
    await using platform = await openPlatform();
    await fillSmall(platform.source.client);
    const { settings } = platform.source;
    await using none = await openPooler(settings, { mode: "statement" });
    platform.set({ source: none.settings });
    await assert.rejects(platform.extract(), {
      message:
        /^Cannot use 127\.0\.0\.1:\d+\/\w+: the pooler there allows no transactions$/,
      hint: /^Set the pooler's pool_mode/,
      retryable: false,
    });

    // A client that waits for a session is sent away, before extract gives up.
    await using one = await openPooler(settings, {
      mode: "transaction",
      sessions: 1,
      settings: ["query_wait_timeout = 1"],
    });
    platform.set({ source: one.settings });
    await platform.extract();
    assert.match(platform.logged.join(), /read by 1 of 2 connections/);
  },
);

Deno.test("extract() reads over one connection where it may not export a snapshot or open a second", async () => {
  await using platform = await openAs((role) => [
    ...ALL(role),
    "revoke execute on function pg_export_snapshot() from public",
  ]);
  const { client } = platform.source;
  const warned = () =>
    platform.logged.splice(0).filter((line) => line.startsWith("warning"));

  await platform.extract();
  assert.match(
    warned().join(),
    /read by 1 of 2 connections: the source exports no snapshot/,
  );

  await execute(
    client,
    "grant execute on function pg_export_snapshot() to public",
    `alter role ${platform.role} connection limit 2`,
  );
  await platform.extract();
  assert.match(
    warned().join(),
    /read by 1 of 2 connections: .*too many connections for role/,
  );

  await execute(client, `alter role ${platform.role} connection limit 1`);
  await platform.extract();
  assert.match(warned().join(), /Cannot watch for .*too many connections/);
});

Deno.test("extract() sees a label that is renamed meanwhile, over one connection too", async () => {
  const contract = `create table thing (
    id integer not null,
    -- carried from mood
    mood text,
    primary key (id)
);`;
  await using platform = await openAs(ALL, {
    contract,
    sourceSql: `create type mood as enum ('happy', 'sad');
      create table thing (id integer primary key, mood mood);
      insert into thing values (1, 'happy'), (2, 'sad')`,
  });
  const { context, role, source: { client } } = platform;
  await execute(client, `alter role ${role} connection limit 1`);
  let isRenamed = false;
  context.resources = changedZones(context.resources, (zone) => ({
    write: async (...given) => {
      if (!isRenamed) {
        await client.query("alter type mood rename value 'sad' to 'low'");
      }
      isRenamed = true;
      return await zone.write(...given);
    },
  }));

  await assert.rejects(platform.extract(), {
    message:
      /^Cannot read "thing": a label, .* prints its column "mood" changed meanwhile$/,
    retryable: true,
  });
  const { rows } = await platform.extract();
  assert.equal(rows, 2);
});

Deno.test("extract() takes fewer locks on a table of many partitions, or names the limit to raise", () =>
  inServerFolder(async (folder) => {
    await using cluster = await Cluster.start(join(folder, "small"), {
      max_connections: "20",
      max_prepared_transactions: "0",
      max_locks_per_transaction: "10",
    });
    await using platform = await openPlatform({
      sql: { ...PROJECT_SQL, tables: parseContract(ITEM) },
      sourceSql: "",
    });
    platform.set({ source: settingsOf(cluster.server.url(DATABASE)) });
    const { client } = cluster;
    const partition = async (from: number, to: number) => {
      for (let part = from; part < to; part++) {
        await client.query(
          `create table item_${part} partition of item for values in (${part})`,
        );
      }
    };
    await client.query(
      `create table item (item_id int primary key, label text)
      partition by list (item_id)`,
    );
    await partition(0, 30);
    await client.query(
      "insert into item select n, 'x' from generate_series(0, 29) as n",
    );

    const { rows } = await platform.extract();
    assert.equal(rows, 30);
    assert.match(
      platform.logged.join(),
      /the source is read by one connection: 62 locks are needed, and max_locks_per_transaction leaves room for 200 in all sessions/,
    );

    await partition(30, 600);
    await assert.rejects(platform.extract(), (error) => {
      assert(error instanceof StageError);
      assert.match(error.message, /^Cannot read "item": out of shared memory/);
      assert.match(error.hint ?? "", /^Raise max_locks_per_transaction/);
      assert.equal(error.retryable, true);
      return true;
    });
  }));
