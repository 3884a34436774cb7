import assert from "node:assert/strict";
import { join } from "node:path";
import { Cluster, DATABASE, inServerFolder } from "../harness/cluster.ts";
import { ingestionManifest } from "../harness/manifests.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { openClient, settingsOf } from "../harness/postgres.ts";
import { insertOrder } from "../harness/small_source.ts";
import { withStatements } from "../pipeline/bad_input/bad_input.ts";

// In a server of its own: in a shared one, the transactions of other tests end.
Deno.test("extract() scans no table when no transaction has ended since", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform();
    await using cluster = await Cluster.start(join(folder, "source"));
    const { client } = cluster;
    await cluster.fill();
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
    const beside = await extracted();
    assert.deepEqual([beside.scans, beside.rows], [tables, 1]);
    assert.deepEqual((await extracted()).scans, tables);
    await client.query("commit");
    const late = await extracted();
    assert.deepEqual([late.scans, late.rows], [tables, 1]);
    assert.equal((await extracted()).scans, 0);
    await client.query("delete from sales_order where sales_order_id = 61");
    const deleted = await extracted();
    assert.deepEqual([deleted.scans, deleted.rows], [tables, 1]);
    assert.equal((await extracted()).scans, 0);

    const asked = await platform.extract({ fullRead: ["sales_order"] });
    const { sourceRows = 0 } = first.tables.sales_order ?? {};
    assert.equal(asked.rows, sourceRows + 1);
    assert.equal((await extracted()).scans, 0);
  }));
