import assert from "node:assert/strict";
import { join } from "node:path";
import { query, queryRow } from "../../lib/postgres/postgres.ts";
import { load } from "../../load/load.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resync } from "../../operate/resync.ts";
import { readStatus } from "../../operate/read_status.ts";
import { verify } from "../../verify/verify.ts";
import { Live, type LiveEvent } from "../../visualise/live/live_events.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
  makeStandby,
} from "../harness/servers/cluster.ts";
import { openWarehouse } from "../harness/browser/dashboard.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import {
  openPooler,
  type Pooler,
  testPooler,
} from "../harness/servers/pgbouncer.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openClient, settingsOf } from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

const DOUBLE_LOADS = 5;
const HEARD_MS_MAX = 30_000;
const SETTINGS = [
  "work_mem",
  "maintenance_work_mem",
  "jit",
  "lock_timeout",
  "statement_timeout",
  "idle_in_transaction_session_timeout",
  "timezone",
  "datestyle",
  "intervalstyle",
  "extra_float_digits",
  "client_min_messages",
  "default_transaction_read_only",
  "role",
];

/** What each session of the pooler is set to, as others find it. */
async function settingsOfSessions(
  url: string,
  database: string,
): Promise<Set<string>> {
  const found = new Set<string>();
  const clients = await Promise.all(
    Array.from({ length: 4 }, () => openClient(url)),
  );
  // All at once, so that each has a session of its own.
  for (const client of clients) await client.query("begin");
  for (const client of clients) {
    const { rows: [row] } = await client.query(
      `select jsonb_object_agg(name, setting) as settings,
        (select count(*) from pg_locks inner join pg_database
          on pg_database.oid = pg_locks.database
          where locktype = 'advisory' and datname = $2) as locks
      from pg_settings where name = any($1)`,
      [SETTINGS, database],
    );
    found.add(JSON.stringify(row));
  }
  for (const client of clients) {
    await client.query("rollback");
    await client.end();
  }
  return found;
}

async function entries({ warehouse }: Platform): Promise<string> {
  const row = await queryRow(
    warehouse.client,
    "select string_agg(batch::text, ' ' order by batch) as all from pipeline.batch",
  );
  return row.all ?? "";
}

testPooler(
  "all tasks work by a pooler that shares sessions, and leave nothing set there",
  async () => {
    await using platform = await openPlatform({ warehouse: "empty" });
    const { source, warehouse } = platform;
    await fillSmall(source.client);
    await using pooler = await openPooler(warehouse.settings, {
      mode: "transaction",
    });
    const direct = warehouse.settings;
    const url = warehouse.url.replace(/:\d+\//, `:${pooler.settings.port}/`);
    const before = await settingsOfSessions(url, direct.database);
    platform.set({ warehouse: pooler.settings });

    await platform.run();
    for (let order = 0; order < DOUBLE_LOADS; order++) {
      await execute(source.client, insertOrder(40 + order));
      await platform.extract();
      await platform.transform();
      const [one, other] = await Promise.all([
        load(platform.context),
        load(platform.context),
      ]);
      assert.deepEqual([...one.batches, ...other.batches], [order + 2]);
    }
    assert.equal(await entries(platform), "1 2 3 4 5 6");
    await rebuildWarehouse(platform.context);
    await resync(platform.context, { tables: ["staff"] });
    assert.equal((await verify(platform.context)).same, true);
    const status = await readStatus(platform.context);
    assert.equal(status.fresh, true);
    await assertMirrored(platform);

    assert.deepEqual(
      await settingsOfSessions(url, direct.database),
      before,
    );
  },
);

testPooler(
  "a load by a pooler and one beside it exclude each other, as one of the version before does",
  async () => {
    await using platform = await openPlatform({ warehouse: "empty" });
    const { source, warehouse } = platform;
    await fillSmall(source.client);
    await platform.run();
    await using pooler = await openPooler(warehouse.settings, {
      mode: "transaction",
      sessions: 1,
    });
    await execute(source.client, insertOrder(40));
    await platform.extract();
    await platform.transform();
    const other = await openClient(warehouse.url);
    await other.query("select pg_advisory_lock(7235419846134)");
    platform.set({ warehouse: pooler.settings });

    assert.equal((await platform.load()).overtaken, true);
    await other.end();
    assert.deepEqual((await platform.load()).batches, [2]);

    platform.set({ warehouse: warehouse.settings });
    await execute(source.client, insertOrder(41));
    await platform.run();
    assert.equal(await entries(platform), "1 2 3");
  },
);

testPooler(
  "the dashboard looks for batches where a pooler lets it hear none",
  async () => {
    await using platform = await openPlatform({ warehouse: "empty" });
    const { source, warehouse, context } = platform;
    await fillSmall(source.client);
    await using pooler = await openPooler(warehouse.settings, {
      mode: "transaction",
    });
    const url = warehouse.url.replace(/:\d+\//, `:${pooler.settings.port}/`);
    const before = await settingsOfSessions(url, warehouse.settings.database);
    const pooled = {
      ...platform,
      warehouse: { ...warehouse, settings: pooler.settings },
    };
    await using asked = openWarehouse(pooled);
    const live = new Live();
    const told: LiveEvent[] = [];
    live.listen((event) => told.push(event));
    const stopping = new AbortController();
    const heard = live.run(pooler.settings, {
      connect: context.resources.connect,
      log: context.log,
      signal: stopping.signal,
    });
    const until = async (type: LiveEvent["type"], count: number) => {
      const since = performance.now();
      while (told.filter((event) => event.type === type).length < count) {
        assert.ok(performance.now() - since < HEARD_MS_MAX, `no ${type} came`);
        await new Promise((wake) => setTimeout(wake, 50));
      }
    };
    await until("link", 2);

    await platform.run();
    await until("batch", 1);
    await execute(source.client, insertOrder(40));
    await platform.run();
    await until("batch", 2);

    assert.equal(live.isPolling, true);
    const batches = told.filter((event) => event.type === "batch");
    assert.deepEqual(batches.map(({ batch }) => batch), [1, 2]);
    // Each is another turn, by which a page knows that it is behind.
    assert.ok((batches[0]?.turn ?? 0) < (batches[1]?.turn ?? 0));
    assert.equal(live.turn, batches[1]?.turn);
    assert.match(platform.logged.join("\n"), /behind a pooler/);
    const rows = await Promise.all(
      Array.from({ length: 8 }, () => asked.ask("newest")),
    );
    assert.deepEqual(rows.map(([row]) => row?.batch), Array(8).fill("2"));
    stopping.abort();
    await heard;
    assert.deepEqual(
      await settingsOfSessions(url, warehouse.settings.database),
      before,
    );
  },
);

testPooler(
  "a pooler that gives each client a session works as none does",
  async () => {
    await using platform = await openPlatform({ warehouse: "empty" });
    await fillSmall(platform.source.client);
    await using pooler = await openPooler(platform.warehouse.settings, {
      mode: "session",
    });
    platform.set({ warehouse: pooler.settings });

    await platform.run();
    await rebuildWarehouse(platform.context);

    await assertMirrored(platform);
  },
);

testPooler(
  "a pooler that allows no transactions is refused by name",
  async () => {
    await using platform = await openPlatform({ warehouse: "empty" });
    await fillSmall(platform.source.client);
    await using pooler = await openPooler(platform.warehouse.settings, {
      mode: "statement",
    });
    const { port, database } = pooler.settings;
    platform.set({ warehouse: pooler.settings });
    await platform.extract();
    await platform.transform();

    await assert.rejects(platform.load(), {
      name: "StageError",
      message:
        `Cannot use 127.0.0.1:${port}/${database}: the pooler there allows no transactions`,
      hint: /^Set the pooler's pool_mode/,
      retryable: false,
    });

    const rows = await query(
      platform.warehouse.client,
      "select to_regclass('pipeline.batch') as ledger",
    );
    assert.deepEqual(rows, [{ ledger: null }]);
  },
);

Deno.test("the dashboard polls for batches on a standby, where LISTEN doesn't work", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform({ warehouse: "empty" });
    await fillSmall(platform.source.client);
    await using primary = await Cluster.start(join(folder, "primary"));
    await primary.backUpTo(join(folder, "standby"));
    await makeStandby(join(folder, "standby"));
    await using standby = await Cluster.start(join(folder, "standby"));
    const live = new Live();
    const told: LiveEvent[] = [];
    const up = Promise.withResolvers<void>();
    live.listen((event) => {
      told.push(event);
      if (event.type === "link" && event.up) up.resolve();
    });
    const stopping = new AbortController();
    const heard = live.run(settingsOf(standby.server.url(DATABASE)), {
      connect: platform.context.resources.connect,
      log: platform.context.log,
      signal: stopping.signal,
    });
    const late = setTimeout(() => up.reject(new Error("no link came")), 10_000);

    await up.promise;

    clearTimeout(late);
    assert.equal(live.isPolling, true);
    assert.match(platform.logged.join(), /a standby, where LISTEN doesn't/);
    stopping.abort();
    await heard;
  }));

testPooler(
  "temporary tables that others leave in shared sessions hide no table",
  async () => {
    await using platform = await openPlatform();
    const { source, warehouse } = platform;
    await fillSmall(source.client);
    await platform.run();
    const mode = "transaction";
    await using before = await openPooler(source.settings, { mode });
    await using after = await openPooler(warehouse.settings, { mode });
    platform.set({ source: before.settings, warehouse: after.settings });
    await hideTables(source.url, before, ["sales_order", "payment"]);
    await hideTables(warehouse.url, after, [
      "fact_sales_order",
      "fact_payment",
      "dim_date",
      "quarantine",
    ]);
    await execute(
      source.client,
      insertOrder(70),
      "delete from payment where payment_id = 5",
    );

    await platform.run();

    await assertMirrored(platform);
    assert.equal((await verify(platform.context)).same, true);
  },
);

/** Leaves a temporary table of each name in every session of a pooler. */
async function hideTables(
  url: string,
  { settings }: Pooler,
  tables: readonly string[],
): Promise<void> {
  const pooled = url.replace(/:\d+\//, `:${settings.port}/`);
  const clients = await Promise.all(
    Array.from({ length: 4 }, () => openClient(pooled)),
  );
  // All at once, so that each has a session of its own.
  for (const client of clients) await client.query("begin");
  for (const client of clients) {
    for (const table of tables) {
      await client.query(
        `create temporary table ${table} (like public.${table} including all)`,
      );
    }
    await client.query("commit");
    await client.end();
  }
}
