/**
 * `deno task bench:guest [--orders 200000] [--seconds 20]`: runs pgbench on the
 * source alone, beside a first load and beside increments. Prints its
 * throughput and its slowest transactions: what extract costs the applications
 * whose database it reads.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fillSource } from "../demo/fill.ts";
import { LAST_PAYMENT, PGBENCH_SCRIPT } from "../demo/measured_trade.ts";
import { withClient } from "../demo/with_client.ts";
import { startPostgresServer } from "../embedded/postgres_server.ts";
import { platformDirectory } from "../lib/platform_directory.ts";

const SEED = 1;
const CLIENTS = 4;

interface Figures {
  perSecond: number;
  /** The 99.9th percentile of the latencies; and the longest. */
  p999Ms: number;
  longestMs: number;
  runs: number;
}

const { values } = parseArgs({
  options: {
    orders: { type: "string", default: "200000" },
    seconds: { type: "string", default: "20" },
  },
});
const folder = await Deno.makeTempDir({ prefix: "totesys-bench-" });
const binDir = Deno.env.get("BENCH_POSTGRES_BIN");
try {
  await using server = await startPostgresServer({
    dataDir: join(folder, "postgres"),
    settings: { max_wal_size: "4GB", synchronous_commit: "off" },
    ...(binDir === undefined ? {} : { binDir }),
  });
  await withClient(server.url("postgres"), async (client) => {
    await client.query("create database totesys");
  });
  const url = server.url("totesys");
  console.log(`filling the source: ${values.orders} sales orders`);
  let payments = 0;
  await withClient(url, async (client) => {
    await fillSource(client, {
      seed: SEED,
      salesOrders: Number(values.orders),
    });
    await client.query("vacuum analyze");
    await client.query("checkpoint");
    const { rows } = await client.query(
      LAST_PAYMENT,
    );
    payments = rows[0].last;
  });
  await Deno.mkdir(join(folder, "lake"));
  const bench = (zone: (run: number) => string) =>
    pgbench({ url, payments, zone });
  const none = () => "";
  await pgbench({ url, payments, zone: none, seconds: 3 });
  console.log(
    "| beside | runs | transactions a second | of alone | 99.9 % within, ms | longest, ms |\n" +
      "| --- | --- | --- | --- | --- | --- |",
  );
  const alone = await bench(none);
  print("nothing", alone, alone);
  print("first loads", await bench((run) => `first-${run}`), alone);
  await extract(url, "increments");
  print("increments", await bench(() => "increments"), alone);
  print("nothing, again", await bench(none), alone);
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** Runs pgbench, and extract beside it repeatedly until pgbench ends. */
async function pgbench(options: {
  url: string;
  payments: number;
  /** The zone of the n-th run of extract; if empty, it isn't run. */
  zone: (run: number) => string;
  seconds?: number;
}): Promise<Figures> {
  const { url, payments, zone } = options;
  const logs = await Deno.makeTempDir({ dir: folder });
  const script = join(logs, "script.sql");
  await Deno.writeTextFile(script, PGBENCH_SCRIPT);
  const process = new Deno.Command(join(await binaries(), "pgbench"), {
    args: [
      "--no-vacuum",
      `--client=${CLIENTS}`,
      `--time=${options.seconds ?? values.seconds}`,
      `--file=${script}`,
      `--define=payments=${payments}`,
      `--define=orders=${values.orders}`,
      "--log",
      `--log-prefix=${join(logs, "transactions")}`,
      url,
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = process.output();
  let ended = false;
  output.finally(() => ended = true);
  let runs = 0;
  while (!ended && zone(0) !== "") await extract(url, zone(runs++));
  const { success, stdout } = await output;
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`pgbench failed: ${text}`);
  const [, perSecond] = /tps = ([\d.]+)/.exec(text) ?? [];
  return { ...await latencies(logs), perSecond: Number(perSecond), runs };
}

/** Reads pgbench's logs: the third field of a line is a latency in µs. */
async function latencies(
  logs: string,
): Promise<Pick<Figures, "p999Ms" | "longestMs">> {
  const all: number[] = [];
  for await (const { name } of Deno.readDir(logs)) {
    if (!name.startsWith("transactions")) continue;
    const text = await Deno.readTextFile(join(logs, name));
    for (const line of text.trimEnd().split("\n")) {
      all.push(Number(line.split(" ")[2]) / 1000);
    }
  }
  const sorted = Float64Array.from(all).sort();
  return {
    p999Ms: sorted[Math.floor(sorted.length * 0.999)] ?? 0,
    longestMs: sorted.at(-1) ?? 0,
  };
}

async function extract(url: string, zone: string): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(platformDirectory(), "extract", "main.ts")],
    env: { SOURCE_URL: url, INGESTION_URL: join(folder, "lake", zone) },
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("extract failed");
}

async function binaries(): Promise<string> {
  const { stdout } = await new Deno.Command("pg_config", {
    args: ["--bindir"],
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

function print(beside: string, figures: Figures, alone: Figures): void {
  const { runs, perSecond, p999Ms, longestMs } = figures;
  const share = (100 * perSecond / alone.perSecond).toFixed(0);
  console.log(
    `| ${beside} | ${runs} | ${perSecond.toFixed(0)} | ${share} % | ${
      p999Ms.toFixed(1)
    } | ${longestMs.toFixed(0)} |`,
  );
}
