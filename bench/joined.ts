/**
 * `deno task bench:joined [--rows 10000000]`: times transform, as a process, for
 * a change of a row of a table that a joined model reads, and for one of a row
 * that a hundred rows are joined to. Prints a table of wall seconds and peak
 * resident memory.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fillSource } from "../demo/fill.ts";
import { withClient } from "../demo/with_client.ts";
import { startPostgresServer } from "../embedded/postgres_server.ts";
import { measureStage } from "./measure_stage.ts";

/** A department whose staff come last. */
const SMALL =
  `insert into department (department_id, department_name, created_at,
  last_updated) values (100, 'Small', now(), now())`;
const SMALL_ROWS = 100;
const CHANGES = {
  "one row": "update staff set first_name = 'Ann' where staff_id = 4711",
  "another row": "update staff set first_name = 'Bob' where staff_id = 4712",
  "a row that 100 are joined to":
    "update department set location = 'Leeds' where department_id = 100",
  "a row is deleted": "delete from staff where staff_id = 5000",
};

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
  await change(SMALL);
  await change(
    `insert into staff (staff_id, first_name, last_name, department_id,
      email_address, created_at, last_updated)
    select 1000 + n, 'First ' || n, 'Last ' || n % 1000,
      case when n > ${rows - SMALL_ROWS} then 100 else 1 + n % 8 end,
      'first.' || n || '@example.com', now(), now()
    from generate_series(1, ${rows}) as n`,
  );
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
  for (const [what, sql] of Object.entries(CHANGES)) {
    await change(sql);
    await run(what);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
