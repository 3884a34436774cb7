import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { join } from "node:path";
import { projectDirectory } from "../lib/config.ts";
import { query } from "../lib/postgres.ts";
import { processedManifest } from "./harness/manifests.ts";
import { execute, openPlatform } from "./harness/platform.ts";
import { fillSmall } from "./harness/small_source.ts";

const README = await Deno.readTextFile(join(projectDirectory(), "README.md"));

Deno.test("README.md has queries that run alike in warehouse and lake", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  const { snapshotTime } = await processedManifest(platform, 1);
  const time = `${snapshotTime.slice(0, -1).replace("T", " ")}+00`;
  await execute(
    platform.source.client,
    "update sales_order set units_sold = 7 where sales_order_id = 1",
  );
  await platform.run();
  const queries = [...README.matchAll(/^```sql\n([^]*?)^```$/gm)]
    .map(([, sql = ""]) => sql);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(
    `attach '${platform.config.processedUrl}/lake.duckdb' as lake (read_only)`,
  );
  await connection.run("use lake");
  const inLake = async (sql: string) =>
    (await connection.runAndReadAll(sql)).getRowsJson().map(String).sort();
  const inWarehouse = async (sql: string) =>
    (await query(platform.warehouse.client, sql))
      .map((row) => String(Object.values(row))).sort();

  assert.ok(queries.length > 0);
  for (const sql of queries) {
    assert.deepEqual(await inLake(sql), await inWarehouse(sql), sql);
    const ofFirst = sql.replaceAll(/'\d{4}-\d\d-\d\d [\d:+]+'/g, `'${time}'`);
    const rows = await inLake(ofFirst);
    assert.deepEqual(rows, await inWarehouse(ofFirst), ofFirst);
    assert.ok(rows.length > 0, ofFirst);
  }
  // What the table of relations says of a batch that is still to come.
  const sum = "select sum(units_sold) from fact_sales_order";
  for (const run of [inLake, inWarehouse]) {
    assert.deepEqual(
      await run(`${sum}_as_of_batch(1000)`),
      await run(`${sum}_current`),
    );
  }
  connection.closeSync();
  instance.closeSync();
});
