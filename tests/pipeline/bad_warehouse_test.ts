import assert from "node:assert/strict";
import { join } from "node:path";
import { StageError } from "../../lib/errors.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { readStatus } from "../../operate/read_status.ts";
import { verify } from "../../verify/verify.ts";
import { changedZones } from "../harness/changed_zone.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
  makeStandby,
} from "../harness/servers/cluster.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { warehouseState } from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openClient, settingsOf } from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { LOAD_SETTINGS } from "../../lib/warehouse/warehouse_settings.ts";

/** How long load leaves its connection idle, beyond the limit. */
const IDLE_MS = 500;
const LOCKED_MS = 1500;

/** A batch is loaded, and another waits. */
async function withPendingBatch(
  test: (platform: Platform) => Promise<void>,
): Promise<void> {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.run();
  await execute(platform.source.client, insertOrder(30));
  await platform.extract();
  await platform.transform();
  await test(platform);
  await execute(platform.source.client, insertOrder(40));
  await platform.run();
  await assertMirrored(platform);
}

async function assertRefused(
  platform: Platform,
  expected: { message: RegExp; hint: RegExp; retryable: boolean },
): Promise<void> {
  await assert.rejects(platform.load(), (error) => {
    assert(error instanceof StageError, String(error));
    assert.match(error.message, expected.message);
    assert.match(error.hint ?? "", expected.hint);
    assert.equal(error.retryable, expected.retryable);
    return true;
  });
}

Deno.test("load() waits for a table that somebody has locked", () =>
  withPendingBatch(async (platform) => {
    const other = await openClient(platform.warehouse.url);
    await execute(other, "begin", "lock table fact_sales_order");
    const loading = platform.load();
    const waiting = async () =>
      (await query(
        platform.source.client,
        `select from pg_locks inner join pg_database
          on pg_database.oid = pg_locks.database
        where datname = '${platform.warehouse.settings.database}'
          and not granted`,
      )).length;
    while (await waiting() === 0) {
      await new Promise((wake) => setTimeout(wake, 20));
    }
    await new Promise((wake) => setTimeout(wake, LOCKED_MS));
    assert.ok(await waiting() > 0);
    await other.query("rollback");

    const { batches } = await loading;

    await other.end();
    assert.deepEqual(batches, [2]);
  }));

/** Holds a lock while a load waits for less long than usual. */
async function whileLocked(
  platform: Platform,
  statements: { lock: string[]; release: string },
  test: () => Promise<void>,
): Promise<void> {
  const other = await openClient(platform.warehouse.url);
  const before = LOAD_SETTINGS.lock_timeout;
  LOAD_SETTINGS.lock_timeout = "200ms";
  try {
    await execute(other, "set application_name to 'report'");
    await execute(other, ...statements.lock);
    await test();
  } finally {
    LOAD_SETTINGS.lock_timeout = before;
    await other.query(statements.release);
    await other.end();
  }
}

Deno.test("load() names the table that it can't write, and the session that locks it", () =>
  withPendingBatch((platform) =>
    whileLocked(
      platform,
      {
        lock: ["begin", "lock table fact_sales_order in share mode"],
        release: "rollback",
      },
      () =>
        assertRefused(platform, {
          message:
            /^Cannot load into \S+: it is locked there: fact_sales_order by process \d+ of postgres \(report\) since \d[^;]*$/,
          hint: /pg_terminate_backend/,
          retryable: true,
        }),
    )
  ));

Deno.test("verify() names the table that it can't read, and the session that has locked it", () =>
  withPendingBatch((platform) =>
    whileLocked(platform, { lock: [], release: "select 1" }, async () => {
      await using other = await connect(platform.warehouse.settings, {
        purpose: "report",
      });
      const { context } = platform;
      const { resources } = context;
      let connections = 0;
      context.resources = {
        ...resources,
        connect: async (settings, options) => {
          // The first one looks whether the zones are the warehouse's.
          if (options.purpose === "verify" && ++connections === 2) {
            await execute(other.client, "begin", "lock table dim_currency");
          }
          return await resources.connect(settings, options);
        },
      };

      await assert.rejects(verify(context), {
        message:
          /^Cannot verify \S+: it is locked there: dim_currency by process \d+ of postgres \(totesys report\) since \d[^;]*$/,
        hint: /pg_terminate_backend/,
        retryable: true,
      });

      context.resources = resources;
    })
  ));

Deno.test("status says who has locked what it reads", () =>
  withPendingBatch((platform) =>
    whileLocked(
      platform,
      {
        lock: ["begin", "lock table pipeline.batch"],
        release: "rollback",
      },
      async () => {
        const { stages } = await readStatus(platform.context);
        const { problem } = stages.find(({ stage }) => stage === "load") ?? {};
        assert.match(
          problem ?? "",
          /^Cannot read \S+: it is locked there: pipeline.batch by process \d+ of postgres \(report\) since/,
        );
      },
    )
  ));

Deno.test("load() names the prepared transaction that locks a table", () =>
  withPendingBatch((platform) =>
    whileLocked(
      platform,
      {
        lock: [
          "begin",
          "lock table fact_sales_order in share mode",
          "prepare transaction 'left behind'",
        ],
        release: "rollback prepared 'left behind'",
      },
      () =>
        assertRefused(platform, {
          message:
            /: fact_sales_order by prepared transaction "left behind" of postgres since \d[^;]*$/,
          hint: /^A prepared .*: rollback prepared 'left behind', or commit/,
          retryable: true,
        }),
    )
  ));

Deno.test("load() reports what ended its connection between two transactions", () =>
  withPendingBatch(async (platform) => {
    const { client, settings: { database } } = platform.warehouse;
    // The next load makes it again.
    await client.query("drop view quarantine_current");
    const { stages } = await readStatus(platform.context);
    assert.equal(
      stages.find(({ stage }) => stage === "load")?.problem,
      undefined,
    );
    await client.query(
      `alter database ${database} set idle_session_timeout to 50`,
    );
    const { resources } = platform.context;
    platform.context.resources = changedZones(resources, (zone) => ({
      read: async (key) => {
        await new Promise((wake) => setTimeout(wake, IDLE_MS));
        return await zone.read(key);
      },
    }));

    await assertRefused(platform, {
      message: /idle-session timeout/,
      hint: /idle_session_timeout: lift it/,
      retryable: false,
    });

    platform.context.resources = resources;
    await client.query(
      `alter database ${database} reset idle_session_timeout`,
    );
  }));

Deno.test("load() refuses a warehouse in recovery, and leaves it usable", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform({ warehouse: "empty" });
    await fillSmall(platform.source.client);
    await using primary = await Cluster.start(join(folder, "primary"));
    const url = primary.server.url(DATABASE);
    platform.set({ warehouse: settingsOf(url) });
    const stored = { ...platform, warehouse: { client: primary.client } };
    await platform.run();
    const served = await warehouseState(stored);
    await primary.backUpTo(join(folder, "standby"));
    await makeStandby(join(folder, "standby"));
    await using standby = await Cluster.start(join(folder, "standby"));
    await execute(platform.source.client, insertOrder(30));
    await platform.extract();
    await platform.transform();
    platform.set({ warehouse: settingsOf(standby.server.url(DATABASE)) });

    await assertRefused(platform, {
      message:
        /^Cannot load into .*: cannot execute .* in a read-only transaction/,
      hint: /a standby/,
      retryable: true,
    });
    assert.deepEqual(
      await warehouseState({ warehouse: { client: standby.client } }),
      served,
    );

    await standby.client.query("select pg_promote(true)");
    await platform.load();
    const promoted = { ...platform.warehouse, client: standby.client };
    await assertMirrored({ ...platform, warehouse: promoted });
  }));
