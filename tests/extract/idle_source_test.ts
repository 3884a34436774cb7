import assert from "node:assert/strict";
import { join } from "node:path";
import { manifestKey } from "../../lib/batches/batch_log.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
} from "../harness/servers/cluster.ts";
import { ingestionManifest } from "../harness/manifests.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { openClient, settingsOf } from "../harness/servers/postgres.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { withStatements } from "../pipeline/bad_input/bad_input.ts";
import { encodeManifest } from "../../lib/batches/encode_manifest.ts";

// In a server of its own: in a shared one, the transactions of other tests end.
Deno.test("extract() scans no table when no transaction has ended since the last batch", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform();
    await using cluster = await Cluster.start(join(folder, "source"));
    const { client } = cluster;
    await cluster.fill();
    // Else the server counts what was written a second later.
    await client.query("select pg_stat_force_next_flush()");
    platform.set({ source: settingsOf(cluster.server.url(DATABASE)) });
    let scans = 0;
    withStatements(platform, (sql) => {
      if (sql.includes("bit_xor")) scans++;
      return sql;
    });
    const extracted = async () => {
      scans = 0;
      const { batches: [batch = 0], rows } = await platform.extract();
      const { tables, source } = await ingestionManifest(platform, batch);
      return { scans, rows, tables, source };
    };
    const first = await extracted();
    const tables = Object.keys(first.tables).length;
    assert.equal(first.scans, tables);

    const still = await extracted();
    assert.deepEqual([still.scans, still.rows], [0, 0]);
    assert.deepEqual(still.source.shipped, first.source.shipped);
    for (const [name, table] of Object.entries(first.tables)) {
      const { fullRead: _, ...known } = table;
      assert.deepEqual(still.tables[name], { ...known, rows: [], deletes: [] });
    }

    // While it is open, it may have written; what it wrote is not seen yet.
    await execute(client, "begin", insertOrder(60));
    assert.equal((await extracted()).scans, 0);
    const other = await openClient(cluster.server.url(DATABASE));
    await execute(other, insertOrder(61));
    await other.end();
    // The keys of a table are only read if it has been written to.
    const second = await extracted();
    assert.deepEqual([second.scans, second.rows], [1, 1]);
    assert((await extracted()).scans <= 1);
    await client.query("commit");
    const late = await extracted();
    assert.deepEqual([late.scans, late.rows], [1, 1]);
    assert.equal((await extracted()).scans, 0);
    await client.query("delete from sales_order where sales_order_id = 61");
    const deleted = await extracted();
    assert.deepEqual([deleted.scans, deleted.rows], [1, 1]);
    assert.equal((await extracted()).scans, 0);

    const asked = await platform.extract({ fullRead: ["sales_order"] });
    const { sourceRows = 0 } = first.tables.sales_order ?? {};
    assert.equal(asked.rows, sourceRows + 1);
    assert.equal((await extracted()).scans, 0);
  }));

Deno.test("extract() finds changes that the server's statistics don't count", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  const isCounted =
    /pg_stat_get_tuples_(inserted|updated|deleted)\(part\.oid\)/g;
  withStatements(platform, (sql) => sql.replaceAll(isCounted, "0::bigint"));
  await platform.run();
  const { tables } = await ingestionManifest(platform, 1);
  assert.equal(tables.sales_order?.written, "0");

  for (
    const statements of [
      [insertOrder(60)],
      ["update sales_order set units_sold = 7 where sales_order_id = 60"],
      ["delete from sales_order where sales_order_id = 60"],
      // As many rows as before.
      [insertOrder(61), "delete from sales_order where sales_order_id = 1"],
      ["update sales_order set sales_order_id = 62 where sales_order_id = 61"],
      ["update staff set first_name = 'Ann' where staff_id = 1"],
      [],
    ]
  ) {
    await execute(client, ...statements);
    await platform.run();
    await assertMirrored(platform);
  }
});

Deno.test("extract() continues from a batch whose manifest has no write counts", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.extract();
  const manifest = await ingestionManifest(platform, 1);
  for (const table of Object.values(manifest.tables)) delete table.written;
  await Deno.writeFile(
    join(platform.config.ingestionUrl, manifestKey(1)),
    encodeManifest(manifest),
  );
  await execute(client, insertOrder(60));

  const { rows } = await platform.extract();

  assert.equal(rows, 1);
  const { tables } = await ingestionManifest(platform, 2);
  assert.match(tables.staff?.written ?? "", /^\d+$/);
});
