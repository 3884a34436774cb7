/**
 * `deno task bench:continuous [--orders 200000] [--seconds 600] [--rate 200]
 * [--every 1s]`: changes sales orders one by one while `./totesys run` follows,
 * and prints how long after its commit each change is in the warehouse, and the
 * memory of `run` in each tenth of the time. Exits with 1 if one of the changes
 * is not there at the end, or 5 of 100 took over three seconds.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Client } from "pg";
import { fillSource } from "../demo/fill.ts";
import { CHANGES_BROUGHT, ONE_CHANGE } from "../demo/measured_trade.ts";
import { withClient } from "../demo/with_client.ts";
import { startPostgresServer } from "../embedded/postgres_server.ts";
import { platformDirectory } from "../lib/platform_directory.ts";
import { residentMb } from "./measure_stage.ts";

const DELAY_MAX_MS = 3_000;
/** How often the warehouse is asked for its newest batch. */
const LOOK_EVERY_MS = 20;
const LAST_CHANGES_WITHIN_MS = 60_000;
const TENTHS = 10;

const { values } = parseArgs({
  options: {
    orders: { type: "string", default: "200000" },
    seconds: { type: "string", default: "600" },
    rate: { type: "string", default: "200" },
    every: { type: "string", default: "1s" },
  },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);
if (seconds * rate > Number(values.orders)) {
  throw new Error("each change needs a sales order of its own: more --orders");
}
const folder = await Deno.makeTempDir({ prefix: "totesys-bench-" });
const binDir = Deno.env.get("BENCH_POSTGRES_BIN");
let held = false;
try {
  await using server = await startPostgresServer({
    dataDir: join(folder, "postgres"),
    settings: { max_wal_size: "4GB" },
    ...(binDir === undefined ? {} : { binDir }),
  });
  await withClient(server.url("postgres"), async (client) => {
    await client.query("create database totesys");
    await client.query("create database warehouse");
  });
  const env = {
    SOURCE_URL: server.url("totesys"),
    WAREHOUSE_URL: server.url("warehouse"),
    INGESTION_URL: join(folder, "ingestion"),
    PROCESSED_URL: join(folder, "processed"),
    TEMP_DIRECTORY: join(folder, "temp"),
  };
  await withClient(env.SOURCE_URL, async (source) => {
    await fillSource(source, { seed: 1, salesOrders: Number(values.orders) });
    await source.query("vacuum analyze");
    console.log(`a first load of ${values.orders} sales orders`);
    const { success } = await run(env).output();
    if (!success) throw new Error("the first load failed");
    await withClient(env.WAREHOUSE_URL, async (warehouse) => {
      held = await follow(env, { source, warehouse });
    });
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(held ? 0 : 1);

function run(
  env: Record<string, string>,
  ...args: readonly string[]
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(platformDirectory(), "operate/run.ts"), ...args],
    env,
    stdout: "null",
    stderr: "inherit",
  });
}

/** Whether the warehouse followed as fast as promised. */
async function follow(
  env: Record<string, string>,
  { source, warehouse }: { source: Client; warehouse: Client },
): Promise<boolean> {
  const before = await newestBatch(warehouse);
  const running = run(env, "--forever", "--every", values.every).spawn();
  /** By batch, when it was seen in the warehouse. */
  const seen = new Map<number, number>();
  const ended = new AbortController();
  const watching = watch(warehouse, { seen, signal: ended.signal });
  const memory: number[] = [];
  const sampling = sample(running.pid, { memory, signal: ended.signal });
  const committed = await change(source);
  await until(async () => await brought(env, before) >= committed.size);
  ended.abort();
  await Promise.all([watching, sampling]);
  running.kill("SIGTERM");
  await running.status;
  const { rows } = await warehouse.query(CHANGES_BROUGHT, [before]);
  const delays = rows.map(({ record, batch }) =>
    (seen.get(batch) ?? NaN) - (committed.get(record) ?? NaN)
  ).sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round(delays[Math.floor((delays.length - 1) * share)] ?? Infinity);
  console.log(
    `${committed.size} changes in ${seconds} s, ${seen.size} batches: ${delays.length} are in the warehouse, after ${
      at(0.5)
    } ms (half), ${at(0.95)} ms (95 of 100), ${at(1)} ms (all)`,
  );
  console.log(`memory of run, MB: ${peaks(memory).join(", ")}`);
  return delays.length === committed.size && at(0.95) <= DELAY_MAX_MS;
}

/** Changes one sales order after another; returns when each was committed. */
async function change(source: Client): Promise<Map<number, number>> {
  const committed = new Map<number, number>();
  const start = Date.now();
  for (let n = 0; n < seconds * rate; n++) {
    const early = start + n * 1000 / rate - Date.now();
    if (early > 0) await wait(early);
    // Some numbers are left out, as in any sequence.
    const { rowCount } = await source.query(ONE_CHANGE, [n + 1]);
    if (rowCount === 1) committed.set(n + 1, Date.now());
  }
  return committed;
}

/** Notes when each batch is first seen. */
async function watch(
  warehouse: Client,
  { seen, signal }: { seen: Map<number, number>; signal: AbortSignal },
): Promise<void> {
  for (let last = await newestBatch(warehouse); !signal.aborted;) {
    const newest = await newestBatch(warehouse);
    while (last < newest) seen.set(++last, Date.now());
    await wait(LOOK_EVERY_MS);
  }
}

async function sample(
  pid: number,
  { memory, signal }: { memory: number[]; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    memory.push(await residentMb(pid));
    await wait(1000);
  }
}

/** The peak in each tenth of the samples. */
function peaks(memory: readonly number[]): number[] {
  const each = Math.ceil(memory.length / TENTHS);
  return Array.from(
    { length: TENTHS },
    (_, n) => Math.max(...memory.slice(n * each, (n + 1) * each)),
  ).filter(Number.isFinite);
}

/** How many changes the warehouse has since a batch. */
async function brought(
  env: Record<string, string>,
  before: number,
): Promise<number> {
  let count = 0;
  await withClient(env.WAREHOUSE_URL ?? "", async (client) => {
    const { rows } = await client.query(CHANGES_BROUGHT, [before]);
    count = rows.length;
  });
  return count;
}

async function newestBatch(warehouse: Client): Promise<number> {
  const { rows } = await warehouse.query(
    "select max(batch)::int as newest from pipeline.batch",
  );
  return rows[0].newest;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + LAST_CHANGES_WITHIN_MS;
  while (Date.now() < end && !await holds()) await wait(1000);
}

function wait(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}
