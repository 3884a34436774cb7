/**
 * `deno task bench:joined [--rows 10000000]`: times transform, as a process, for
 * a change of a row of a table that a joined model reads, and for one of a row
 * that a hundred rows are joined to. Prints a table of wall seconds and peak
 * resident memory.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fillSource } from "../demo/fill.ts";
import { STAFF_CHANGES, staffSql } from "../demo/measured_trade.ts";
import { withClient } from "../demo/with_client.ts";
import { startPostgresServer } from "../embedded/postgres_server.ts";
import { measureStage } from "./measure_stage.ts";

const { values } = parseArgs({
  options: { rows: { type: "string", default: "10000000" } },
});
const rows = Number(values.rows);
const folder = await Deno.makeTempDir({ prefix: "totesys-bench-" });
try {
  await using server = await startPostgresServer({
    dataDir: join(folder, "postgres"),
    persistent: false,
    settings: { max_wal_size: "4GB" },
  });
  await withClient(
    server.url("postgres"),
    async (client) => {
      await client.query("create database totesys");
    },
  );
  const change = (sql: string) =>
    withClient(server.url("totesys"), async (client) => {
      await client.query(sql);
    });
  await withClient(
    server.url("totesys"),
    (client) => fillSource(client, { seed: 1, salesOrders: 1000 }),
  );
  for (const sql of staffSql(rows)) await change(sql);
  const env = {
    SOURCE_URL: server.url("totesys"),
    INGESTION_URL: join(folder, "ingestion"),
    PROCESSED_URL: join(folder, "processed"),
    TEMP_DIRECTORY: join(folder, "temp"),
  };
  console.log("| change | wall s | peak MB |\n| --- | --- | --- |");
  const run = async (what: string) => {
    await measureStage("extract", env);
    const { seconds, peakMb } = await measureStage("transform", env);
    console.log(`| ${what} | ${seconds.toFixed(2)} | ${peakMb.toFixed(0)} |`);
  };
  await run("first load");
  for (const [what, sql] of Object.entries(STAFF_CHANGES)) {
    await change(sql);
    await run(what);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
