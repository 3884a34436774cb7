/**
 * `deno task bench:functions [--orders 11000] [--batches 60]`: runs the packaged
 * functions as Lambda does, on an embedded Postgres and the embedded S3 server:
 * a cold start with the first load, a cold start with some changes, a warm one
 * with none; then a number of batches, warm, with the merges of files among
 * them, and runs that find nothing, warm and cold. Prints tables of wall
 * milliseconds, processors' time, peak resident memory, and requests to S3 by
 * how they are billed.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fillSource } from "../demo/fill.ts";
import { thousandthSql } from "../demo/measured_trade.ts";
import { withClient } from "../demo/with_client.ts";
import { startPostgresServer } from "../embedded/postgres_server.ts";
import { startS3Server } from "../embedded/s3_server.ts";
import {
  LaidOutPackage,
  RunningFunction,
} from "../package/running_function.ts";
import {
  type CountedStore,
  countRequests,
  usedSince,
} from "./year/counted_store.ts";

const FUNCTIONS = { extract: 512, transform: 2048, load: 2048 };
const BUCKET = "bench";
const TIMEOUT_MS = 600_000;
/** Cold starts that are counted, of each function. */
const COLD = 10;
const CHANGE = thousandthSql("1");

const { values } = parseArgs({
  options: {
    orders: { type: "string", default: "11000" },
    batches: { type: "string", default: "60" },
  },
});
const folder = await Deno.makeTempDir({ prefix: "totesys-bench-" });
await Deno.chmod(folder, 0o755);
try {
  await using server = await startPostgresServer({
    dataDir: join(folder, "postgres"),
  });
  await using s3 = await startS3Server({ buckets: [BUCKET] });
  await using store = countRequests(s3.endpoint);
  await withClient(server.url("postgres"), async (client) => {
    await client.query("create database totesys");
    await client.query("create database warehouse");
  });
  await withClient(server.url("totesys"), async (client) => {
    await fillSource(client, { seed: 1, salesOrders: Number(values.orders) });
  });
  const env = {
    SOURCE_URL: server.url("totesys"),
    WAREHOUSE_URL: server.url("warehouse"),
    INGESTION_URL: `s3://${BUCKET}/ingestion`,
    PROCESSED_URL: `s3://${BUCKET}/processed`,
    AWS_ENDPOINT_URL_S3: store.endpoint,
  };
  await using laidOut = await LaidOutPackage.make();
  const start = (name: string, memoryMb: number) =>
    RunningFunction.start(laidOut, {
      name,
      memoryMb,
      env,
      temp: join(folder, name),
    });
  const timed = async (began: number, running: RunningFunction) => {
    const { kind, body } = await running.call({ timeoutMs: TIMEOUT_MS });
    if (kind !== "response") throw new Error(JSON.stringify(body));
    return Math.round(performance.now() - began);
  };
  const cells: Record<string, string[]> = {};
  for (
    const round of ["first load", "cold, some changes", "warm, nothing changed"]
  ) {
    console.log(round);
    for (const [name, memoryMb] of Object.entries(FUNCTIONS)) {
      const began = performance.now();
      await using running = await start(name, memoryMb);
      let ms = await timed(began, running);
      if (round.startsWith("warm")) {
        ms = await timed(performance.now(), running);
      }
      const peakMb = Math.round(await running.peakKb() / 1000);
      (cells[`${name}, ${memoryMb} MB`] ??= []).push(String(ms), `${peakMb}`);
    }
    await withClient(server.url("totesys"), async (client) => {
      await client.query(CHANGE);
    });
  }
  const change = () =>
    withClient(server.url("totesys"), async (client) => {
      await client.query(CHANGE);
    });
  const taken = await timeBatches(Number(values.batches), {
    start,
    store,
    change,
  });
  console.log(
    "| function | first load, ms | peak MB | cold, ms | peak MB | warm, ms | peak MB |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- |");
  for (const [name, row] of Object.entries(cells)) {
    console.log(`| ${name} | ${row.join(" | ")} |`);
  }
  console.log(`\nMeans of ${values.batches} calls, or of ${COLD} cold ones:`);
  console.log("| call | CPU, ms | S3 reads | S3 writes and lists |");
  console.log("| --- | --- | --- | --- |");
  for (const [name, { calls, cpuMs, reads, writes }] of Object.entries(taken)) {
    const means = [cpuMs, reads, writes].map((sum) => (sum / calls).toFixed(1));
    console.log(`| ${name} | ${means.join(" | ")} |`);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(0);

interface Taken {
  calls: number;
  cpuMs: number;
  reads: number;
  writes: number;
}

/**
 * Calls the functions for a number of batches, each with changes, then once
 * without, and then those that have a schedule beside their events with nothing
 * to do; and cold ones. Returns what they took in total.
 */
async function timeBatches(
  batches: number,
  { start, store, change }: {
    start: (name: string, memoryMb: number) => Promise<RunningFunction>;
    store: CountedStore;
    change: () => Promise<void>;
  },
): Promise<Record<string, Taken>> {
  const sums: Record<string, Taken> = {};
  const take = async (
    what: string,
    fn: RunningFunction,
    { isCold }: { isCold: boolean },
  ) => {
    const sum = sums[what] ??= { calls: 0, cpuMs: 0, reads: 0, writes: 0 };
    const cpuMs = isCold ? 0 : await fn.cpuMs();
    const before = store.counted();
    const { kind, body } = await fn.call({ timeoutMs: TIMEOUT_MS });
    if (kind !== "response") throw new Error(JSON.stringify(body));
    const used = usedSince(before, store.counted());
    sum.calls++;
    sum.cpuMs += await fn.cpuMs() - cpuMs;
    sum.writes += used.puts + used.lists;
    sum.reads += used.gets + used.heads + used.deletes;
  };
  const running = new Map<string, RunningFunction>();
  for (const [name, memoryMb] of Object.entries(FUNCTIONS)) {
    running.set(name, await start(name, memoryMb));
  }
  for (let batch = 0; batch < batches; batch++) {
    await change();
    for (const what of ["with changes", "without", "no new batch"]) {
      for (const [name, fn] of running) {
        if (what === "no new batch" && name === "extract") continue;
        await take(`${name}, ${what}`, fn, { isCold: false });
      }
    }
  }
  for (const fn of running.values()) await fn[Symbol.asyncDispose]();
  for (let round = 0; round < COLD; round++) {
    for (const [name, memoryMb] of Object.entries(FUNCTIONS)) {
      if (name === "extract") continue;
      await using fn = await start(name, memoryMb);
      await take(`${name}, no new batch, cold`, fn, { isCold: true });
    }
  }
  return sums;
}
