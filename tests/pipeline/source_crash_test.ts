import { join } from "node:path";
import {
  Cluster,
  DATABASE,
  inServerFolder,
} from "../harness/servers/cluster.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { readFromCluster } from "../harness/servers/read_from_cluster.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

/** The longest that PostgreSQL allows: what it hasn't flushed, a crash loses. */
const SETTINGS = { wal_writer_delay: "10s" };
const WAIT_TRIES_MAX = 2_000;
const WAIT_MS = 10;

/** Not the staff's canary, which shows that a source was set back. */
const UPDATES = [
  "update staff set last_name = 'New' where staff_id = 2",
  "update staff set last_name = 'Newer' where staff_id = 3",
];

/** What a crash takes back unless it was flushed before. */
const CASES = [
  {
    name: "a transaction that was rolled back",
    lost: ["begin", insertOrder(60), "rollback"],
  },
  {
    name: "a delete that did not wait for the disk",
    lost: [
      "set synchronous_commit to off",
      "delete from payment where payment_id = 5",
    ],
  },
  {
    name: "such a delete beside an open transaction",
    beside: ["begin", "select pg_current_xact_id()"],
    lost: [
      "set synchronous_commit to off",
      "delete from payment where payment_id = 5",
    ],
  },
];

for (const { name, beside = [], lost } of CASES) {
  Deno.test(`no row is lost when the source crashes after ${name}`, () =>
    inServerFolder(async (folder) => {
      await using platform = await openPlatform();
      const dataDir = join(folder, "source");
      {
        await using cluster = await Cluster.start(dataDir, SETTINGS);
        await cluster.fill();
        const reader = readFromCluster(platform, cluster);
        await reader.run();
        await flushed(cluster);
        const other = await openClient(cluster.server.url(DATABASE));
        await execute(other, ...beside);
        await execute(cluster.client, ...lost);
        await reader.extract();
        await cluster.crash();
        await other.end();
      }
      await using cluster = await Cluster.start(dataDir);
      await execute(cluster.client, ...UPDATES);
      const reader = readFromCluster(platform, cluster);

      await reader.run();
      await reader.run();

      await assertMirrored(reader);
    }));
}

/** Waits until the WAL writer has just flushed all: it sleeps from now on. */
async function flushed({ client }: Cluster): Promise<void> {
  await execute(client, "begin", insertOrder(59), "rollback");
  for (let tries = 1; tries <= WAIT_TRIES_MAX; tries++) {
    const { rows } = await client.query(
      "select pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn() as done",
    );
    if (rows[0].done) return;
    await new Promise((wake) => setTimeout(wake, WAIT_MS));
  }
  throw new Error("the WAL writer did not flush");
}
