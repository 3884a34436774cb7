/**
 * The pipeline beside other ways of doing the same work, on the same data, in
 * one run: a table of wall seconds, CPU seconds, and peak memory.
 */
import { join } from "node:path";
import { withClient } from "../demo/with_client.ts";
import type { PostgresServer } from "../embedded/postgres_server.ts";
import { platformDirectory } from "../lib/platform_directory.ts";
import { serverCpuSeconds } from "./server_cpu.ts";

/** The pipeline itself. */
export const OURS = "ours";
/** The project's own script, which makes a first load and no more. */
const PLAIN = "plain";
const RUNS = ["first load", "1,000 changes", "nothing changed"] as const;
const SAMPLE_EVERY_MS = 50;

interface Measured {
  seconds: number;
  cpuSeconds: number;
  peakMb: number;
}

/**
 * Runs each on a copy of the database `totesys`, `repeats` times, and prints
 * what it took. A peer is the shell command in `BENCH_` and its name; it gets
 * `SRC_URL`, `WH_URL` and `WORK`, an empty folder, and is run once for each of
 * the runs. A peer without a command is left out. `changes` are made before the
 * second run. Returns our least time for a first load as a multiple of each
 * peer's.
 */
export async function compareWith(
  peers: readonly string[],
  options: {
    server: PostgresServer;
    folder: string;
    changes: readonly string[];
    repeats: number;
  },
): Promise<Map<string, number>> {
  const firstLoads = new Map<string, number>();
  console.log("| | run | wall s | client CPU s | server CPU s | peak MB |");
  console.log("| --- | --- | --- | --- | --- | --- |");
  for (let repeat = 1; repeat <= options.repeats; repeat++) {
    for (const peer of [...peers, OURS]) {
      const command = commandOf(peer);
      if (command === undefined) {
        console.log(`${peer}: no BENCH_${peer.toUpperCase()} has its command`);
        continue;
      }
      const seconds = await measurePeer(peer, { ...options, command });
      const least = Math.min(seconds, firstLoads.get(peer) ?? Infinity);
      firstLoads.set(peer, least);
    }
  }
  const ours = firstLoads.get(OURS) ?? Number.NaN;
  firstLoads.delete(OURS);
  return new Map([...firstLoads].map(([peer, least]) => [peer, ours / least]));
}

/** The shell command of a way to do the work, if it has one. */
export function commandOf(peer: string): string | undefined {
  const deno = `"${Deno.execPath()}" run -q -A`;
  if (peer === PLAIN) return `${deno} bench/plain_script.ts`;
  if (peer !== OURS) return Deno.env.get(`BENCH_${peer.toUpperCase()}`);
  return `SOURCE_URL=$SRC_URL WAREHOUSE_URL=$WH_URL INGESTION_URL=$WORK/ingestion PROCESSED_URL=$WORK/processed TEMP_DIRECTORY=$WORK/temp ${deno} operate/run.ts`;
}

/** Makes its runs, and returns the seconds of its first load. */
async function measurePeer(
  peer: string,
  options: {
    server: PostgresServer;
    folder: string;
    changes: readonly string[];
    command: string;
  },
): Promise<number> {
  const { server, folder, changes, command } = options;
  let firstLoad = Number.NaN;
  const work = await Deno.makeTempDir({ dir: folder, prefix: peer });
  await withClient(server.url("postgres"), async (client) => {
    for (const name of ["bench_source", "bench_warehouse"]) {
      await client.query(`drop database if exists ${name}`);
    }
    await client.query("create database bench_source template totesys");
    await client.query("create database bench_warehouse");
  });
  const env = {
    SRC_URL: server.url("bench_source"),
    WH_URL: server.url("bench_warehouse"),
    WORK: work,
  };
  for (const run of peer === PLAIN ? RUNS.slice(0, 1) : RUNS) {
    if (run === "1,000 changes") {
      await withClient(env.SRC_URL, async (client) => {
        for (const change of changes) await client.query(change);
      });
    }
    const before = await serverCpuSeconds(join(folder, "postgres"));
    const { seconds, cpuSeconds, peakMb } = await measure(command, env);
    if (run === "first load") firstLoad = seconds;
    const ofServer = await serverCpuSeconds(join(folder, "postgres")) - before;
    const figures = [seconds, cpuSeconds, ofServer].map((one) =>
      one.toFixed(2)
    );
    console.log(
      `| ${peer} | ${run} | ${figures.join(" | ")} | ${peakMb.toFixed(0)} |`,
    );
  }
  await Deno.remove(work, { recursive: true });
  return firstLoad;
}

/** Runs a shell command and says what it took, with all of its processes. */
async function measure(
  command: string,
  env: Record<string, string>,
): Promise<Measured> {
  const start = performance.now();
  const process = new Deno.Command("bash", {
    // The second line of `times` is of the processes that have ended.
    args: ["-c", `(${command}) >&2; code=$?; times; exit $code`],
    cwd: platformDirectory(),
    env,
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let peakKb = 0;
  const sampling = setInterval(async () => {
    peakKb = Math.max(peakKb, await residentKb(process.pid));
  }, SAMPLE_EVERY_MS);
  const { success, stdout } = await process.output();
  clearInterval(sampling);
  const seconds = (performance.now() - start) / 1000;
  if (!success) throw new Error(`${command} failed`);
  const [, children = ""] = new TextDecoder().decode(stdout).split("\n");
  const cpuSeconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)]
    .reduce(
      (sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest),
      0,
    );
  return { seconds, cpuSeconds, peakMb: peakKb / 1000 };
}

/** The resident memory of a process and all that it has started. */
async function residentKb(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-e", "-o", "pid=,ppid=,rss="],
  }).output();
  const all = new TextDecoder().decode(stdout).trim().split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const counted = new Set([pid]);
  let kb = 0;
  // A process has a higher number than the one that started it, as a rule.
  for (const [id = 0, parent = 0, rss = 0] of all) {
    if (!counted.has(parent)) continue;
    counted.add(id);
    kb += rss;
  }
  return kb;
}
