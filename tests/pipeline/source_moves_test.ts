import assert from "node:assert/strict";
import { join } from "node:path";
import { warnOfLag } from "../../extract/replayed_time.ts";
import { StageError } from "../../lib/errors.ts";
import {
  Cluster,
  copyFolder,
  DATABASE,
  inServerFolder,
  makeRestored,
  makeStandby,
} from "../harness/servers/cluster.ts";
import { ingestionManifest } from "../harness/manifests.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { History, warehouseState } from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { readFromCluster } from "../harness/servers/read_from_cluster.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

const WAIT_TRIES_MAX = 600;
const WAIT_MS = 20;

/** A history that goes on when the source has moved. */
class Moving {
  history: History | undefined;

  constructor(readonly platform: Platform) {}

  async step(cluster: Cluster): Promise<number> {
    const platform = readFromCluster(this.platform, cluster);
    this.history ??= new History(platform);
    // The history keeps what it has seen; only where it looks moves.
    Object.assign(this.history.platform, { source: platform.source });
    return await this.history.step();
  }

  async fullReads(batch: number): Promise<string[]> {
    const { tables } = await ingestionManifest(this.platform, batch);
    return Object.values(tables).flatMap(({ fullRead }) => fullRead ?? []);
  }
}

async function replayed(standby: Cluster, primary: Cluster): Promise<void> {
  const { rows } = await primary.client.query(
    "select pg_current_wal_lsn()::text as lsn",
  );
  await until(standby, {
    sql: "pg_last_wal_replay_lsn() >= $1::pg_lsn",
    value: rows[0].lsn,
  });
}

/** Waits until a condition holds in a cluster. */
async function until(
  { client }: Cluster,
  { sql, value }: { sql: string; value?: string },
): Promise<void> {
  const values = value === undefined ? [] : [value];
  for (let attempt = 1; attempt <= WAIT_TRIES_MAX; attempt++) {
    const { rows } = await client.query(`select ${sql} as done`, values);
    if (rows[0].done) return;
    await new Promise((wake) => setTimeout(wake, WAIT_MS));
  }
  throw new Error(`never came true: ${sql}`);
}

Deno.test("a standby serves as source, and one that lags is refused", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform();
    const moving = new Moving(platform);
    await using primary = await Cluster.start(join(folder, "primary"));
    await primary.fill();
    await moving.step(primary);
    await primary.backUpTo(join(folder, "standby"));
    await makeStandby(join(folder, "standby"));
    const address = new URL(primary.server.url(DATABASE));
    await using standby = await Cluster.start(join(folder, "standby"), {
      primary_conninfo: `host=${address.hostname} port=${address.port} ` +
        `user=${address.username} password=${address.password}`,
    });

    // A transaction stays open over batches that the standby is asked for.
    const holder = await openClient(primary.server.url(DATABASE));
    await execute(holder, "begin", "savepoint here", insertOrder(60));
    await execute(primary.client, insertOrder(61));
    await replayed(standby, primary);
    const read = await moving.step(standby);
    assert.deepEqual(await moving.fullReads(read), []);
    await execute(holder, "commit");
    await holder.end();
    await replayed(standby, primary);
    await moving.step(standby);

    await standby.client.query("select pg_wal_replay_pause()");
    await execute(
      primary.client,
      insertOrder(62),
      "delete from payment where payment_id = 5",
    );
    await moving.step(primary);
    readFromCluster(platform, standby);
    await assert.rejects(platform.extract(), (error) => {
      assert(error instanceof StageError);
      assert.match(error.message, /Cannot read the source: it is a standby at/);
      assert.equal(error.retryable, true);
      return true;
    });

    await standby.client.query("select pg_wal_replay_resume()");
    await replayed(standby, primary);
    const after = await moving.step(standby);
    assert.deepEqual(await moving.fullReads(after), []);
    await moving.history?.compareAll();
  }));

Deno.test("a standby that replays nothing stamps batches with the time of its state", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform();
    await using primary = await Cluster.start(join(folder, "primary"));
    await primary.fill();
    await primary.backUpTo(join(folder, "standby"));
    await makeStandby(join(folder, "standby"));
    const address = new URL(primary.server.url(DATABASE));
    await using standby = await Cluster.start(join(folder, "standby"), {
      primary_conninfo: `host=${address.hostname} port=${address.port} ` +
        `user=${address.username} password=${address.password}`,
    });
    const { extract } = readFromCluster(platform, standby);
    const insert = async (id: number) => {
      const begun = Date.now();
      await execute(primary.client, insertOrder(id));
      return { begun, ended: Date.now() };
    };
    const timeOf = async (batch: number) =>
      Date.parse((await ingestionManifest(platform, batch)).snapshotTime);

    const shown = await insert(60);
    await replayed(standby, primary);
    await standby.client.query("select pg_wal_replay_pause()");
    const unseen = await insert(61);
    await until(standby, {
      sql: "pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()",
    });
    await extract();
    await extract();
    await standby.client.query("select pg_wal_replay_resume()");
    await replayed(standby, primary);
    await extract();

    assert.ok(await timeOf(1) >= shown.begun && await timeOf(1) <= shown.ended);
    assert.ok(await timeOf(2) >= shown.begun && await timeOf(2) <= shown.ended);
    assert.ok(await timeOf(3) >= unseen.begun);
  }));

Deno.test("a standby that was cut off from its primary is as old as its last commit", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform();
    const standbyFolder = join(folder, "standby");
    {
      await using primary = await Cluster.start(join(folder, "primary"));
      await primary.fill();
      await primary.backUpTo(standbyFolder);
    }
    await makeStandby(standbyFolder);
    await using standby = await Cluster.start(standbyFolder);
    const { rows: [started] } = await standby.client.query(
      "select pg_postmaster_start_time() as at",
    );

    await readFromCluster(platform, standby).extract();

    const { snapshotTime } = await ingestionManifest(platform, 1);
    assert.ok(Date.parse(snapshotTime) <= started.at.getTime());
    warnOfLag({
      inRecovery: true,
      time: snapshotTime,
      clockTime: new Date(Date.parse(snapshotTime) + 7 * 60_000).toISOString(),
    }, platform.context);
    assert.match(
      platform.logged.join("\n"),
      /is a standby that has replayed nothing after .*Z, 7 minutes ago/,
    );
  }));

Deno.test("a standby that is promoted is read whole, once", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform();
    const moving = new Moving(platform);
    {
      await using primary = await Cluster.start(join(folder, "primary"));
      await primary.fill();
      await moving.step(primary);
      await execute(primary.client, insertOrder(60));
      await primary.backUpTo(join(folder, "other"));
      // Lost with the primary: the other never learns of it.
      await execute(primary.client, insertOrder(61));
      await moving.step(primary);
    }
    await makeStandby(join(folder, "other"));
    await using other = await Cluster.start(join(folder, "other"));
    await other.client.query("select pg_promote(true)");
    await execute(other.client, insertOrder(62));

    const batch = await moving.step(other);
    const reasons = await moving.fullReads(batch);
    const next = await moving.step(other);

    assert.ok(reasons.length > 0);
    assert.match(reasons.join(), /timeline is now 2, and was 1/);
    assert.deepEqual(await moving.fullReads(next), []);
    await moving.history?.compareAll();
  }));

Deno.test("a source restored to an earlier point in time is read whole, once", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform();
    const moving = new Moving(platform);
    const archive = join(folder, "archive");
    await Deno.mkdir(archive);
    await Deno.chmod(archive, 0o777);
    {
      await using cluster = await Cluster.start(join(folder, "first"), {
        archive_mode: "on",
        archive_command: `cp %p ${archive}/%f`,
      });
      await cluster.fill();
      await moving.step(cluster);
      await cluster.backUpTo(join(folder, "restored"));
      await execute(cluster.client, insertOrder(60));
      await moving.step(cluster);
      await execute(
        cluster.client,
        insertOrder(61),
        "select pg_create_restore_point('before')",
        // Lost: read by a batch, and not to be in the restored source.
        insertOrder(62),
        "update staff set last_name = 'Gone' where staff_id = 1",
        "delete from payment where payment_id = 5",
      );
      await moving.step(cluster);
      const { rows: [log] } = await cluster.client.query(
        "select pg_walfile_name(pg_switch_wal()) as name",
      );
      await until(cluster, {
        sql: "(select last_archived_wal >= $1 from pg_stat_archiver)",
        value: log.name,
      });
    }
    await makeRestored(join(folder, "restored"));
    await using restored = await Cluster.start(join(folder, "restored"), {
      restore_command: `cp ${archive}/%f %p`,
      recovery_target_name: "before",
      recovery_target_action: "promote",
    });
    await until(restored, { sql: "not pg_is_in_recovery()" });

    const batch = await moving.step(restored);
    const reasons = await moving.fullReads(batch);
    await execute(restored.client, insertOrder(63));
    const next = await moving.step(restored);

    assert.match(reasons.join(), /timeline is now 2, and was 1/);
    assert.deepEqual(await moving.fullReads(next), []);
    const { rows } = await restored.client.query(
      "select sales_order_id from sales_order where sales_order_id >= 60 order by 1",
    );
    assert.deepEqual(rows.map((row) => row.sales_order_id), [60, 61, 63]);
    await moving.history?.compareAll();
  }));

Deno.test("a machine set back to a disk snapshot is read whole", async (test) => {
  for (const later of [0, 2, 40]) {
    await test.step(`${later} transactions after it was set back`, () =>
      inServerFolder(async (folder) => {
        await using platform = await openPlatform();
        const moving = new Moving(platform);
        const dataDir = join(folder, "machine");
        {
          await using cluster = await Cluster.start(dataDir);
          await cluster.fill();
          await moving.step(cluster);
        }
        await copyFolder(dataDir, join(folder, "snapshot"));
        {
          await using cluster = await Cluster.start(dataDir);
          await execute(
            cluster.client,
            insertOrder(60),
            "update staff set last_name = 'Gone' where staff_id = 1",
            "delete from payment where payment_id = 5",
          );
          await moving.step(cluster);
        }
        await Deno.remove(dataDir, { recursive: true });
        await Deno.rename(join(folder, "snapshot"), dataDir);
        await using cluster = await Cluster.start(dataDir);
        for (let order = 1; order <= later; order++) {
          await execute(cluster.client, insertOrder(70 + order));
        }

        const batch = await moving.step(cluster);

        assert.ok((await moving.fullReads(batch)).length > 0);
        await moving.step(cluster);
        await moving.history?.compareAll();
      }));
  }
});

Deno.test("a source that moved to another cluster is read whole", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform();
    const moving = new Moving(platform);
    await using first = await Cluster.start(join(folder, "first"));
    await first.fill();
    await moving.step(first);
    await using second = await Cluster.start(join(folder, "second"));
    await second.fill();
    await execute(
      second.client,
      insertOrder(60),
      "delete from payment where payment_id = 5",
    );

    const batch = await moving.step(second);

    const reasons = await moving.fullReads(batch);
    assert.match(reasons.join(), /the source is not the database of/);
    await moving.step(second);
    await moving.history?.compareAll();
  }));

Deno.test("two deployments that write into one lake are reported", async () => {
  await using first = await openPlatform();
  await using second = await openPlatform();
  await fillSmall(first.source.client);
  await fillSmall(second.source.client);
  await execute(second.source.client, insertOrder(60));
  const { ingestionUrl, processedUrl } = first.config;
  second.set({
    ingestionUrl,
    processedUrl,
    warehouse: first.warehouse.settings,
  });
  await first.run();
  // It may be that the source has moved, once.
  await second.run();
  const served = await warehouseState(first);

  await assert.rejects(first.extract(), (error) => {
    assert(error instanceof StageError);
    assert.match(
      error.message,
      /^Cannot read the source: batch 2 came from another database, and batches before it came from this one$/,
    );
    assert.match(error.hint ?? "", /two deployments .* --full$/);
    return true;
  });
  assert.deepEqual(await warehouseState(first), served);
  await second.run();

  await first.extract({ fullRead: true });
  await first.transform();
  await first.load();
  await assertMirrored(first);
});
