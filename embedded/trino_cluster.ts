import type { TrinoServer } from "./trino_server.ts";
import { freePort } from "./free_port.ts";
import { COORDINATOR, spawnTrinoNode } from "./trino_node.ts";
import { trinoNodes, trinoStatements, trinoTasks } from "./trino_rest.ts";

/** A Trino of a test's own: a coordinator, and workers that can be killed. */
export interface TrinoCluster extends AsyncDisposable {
  /** Where its coordinator listens. */
  origin: string;
  /** Starts nodes, and waits until all that run see each other. */
  start(...nodes: string[]): Promise<void>;
  /** Ends a node as a power cut would. */
  kill(node: string): Promise<void>;
  /**
   * Kills a worker that is at work on a statement that begins so, and gives its
   * name.
   */
  killAtWork(statement: string): Promise<string>;
  /** The CPU time that its nodes have used. */
  cpuSeconds(): Promise<number>;
  /** Waits until the server runs a statement that begins so. */
  untilRunning(statement: string): Promise<void>;
}

/** A server that soon starts, and is slower when it has run for long. */
const STARTS_SOON = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
/** A machine with other work to do takes minutes. */
const START_TRIES_MAX = 1200;
const START_WAIT_MS = 500;
const RUNNING_TRIES_MAX = 6000;
const RUNNING_WAIT_MS = 20;
/** Time for what a node has sent before it was stopped to arrive. */
const STOPPED_MS = 300;

/** The settings that make a platform's transform use a Trino server. */
export function trinoEnv({ origin }: TrinoCluster): Record<string, string> {
  return {
    TRANSFORM_ENGINE: "trino",
    TRANSFORM_ENGINE_BYTES_MIN: "0",
    TRINO_URL: `${origin.replace("//", "//test@")}/hive/totesys`,
  };
}

/** Starts a coordinator and workers; their data is in a temporary folder. */
export async function startTrino(
  { server, workers, s3Endpoint, jvm = STARTS_SOON }: {
    server: TrinoServer;
    workers: readonly string[];
    /** The tests' S3 server, where zones are in it. */
    s3Endpoint?: string | undefined;
    /** The options of each node's Java. */
    jvm?: readonly string[];
  },
): Promise<TrinoCluster> {
  const folder = await Deno.makeTempDir({ prefix: "totesys-trino-" });
  // A node that comes back listens where it did: the coordinator asks there.
  const ports = new Map(
    [COORDINATOR, ...workers].map((node) => [node, freePort()]),
  );
  const origin = `http://127.0.0.1:${ports.get(COORDINATOR)}`;
  const running = new Map<string, Deno.ChildProcess>();
  const kill = (node: string) => killNode(running, node);
  const cluster: TrinoCluster = {
    origin,
    start: async (...nodes) => {
      for (const node of nodes) {
        const port = ports.get(node) ?? freePort();
        const options = { folder, port, origin, node, jvm, s3Endpoint };
        running.set(node, await spawnTrinoNode(server, options));
      }
      await untilActive(origin, [...running.keys()]);
    },
    kill,
    killAtWork: async (start) => {
      let found: string | undefined;
      await untilRuns(`a worker is at "${start}"`, async () => {
        found = await stopAtWork({ origin, start, running });
        return found !== undefined;
      });
      await kill(found ?? "");
      return found ?? "";
    },
    cpuSeconds: () => cpuSecondsOf(running),
    untilRunning: (start) =>
      untilRuns(`"${start}" runs`, async () => {
        const state = "RUNNING";
        return (await trinoStatements(origin, { start, state })).length > 0;
      }),
    [Symbol.asyncDispose]: async () => {
      for (const node of [...running.keys()]) await kill(node);
      await Deno.remove(folder, { recursive: true });
    },
  };
  await cluster.start(COORDINATOR, ...workers).catch(async (error) => {
    await cluster[Symbol.asyncDispose]();
    throw error;
  });
  return cluster;
}

async function killNode(
  running: Map<string, Deno.ChildProcess>,
  node: string,
): Promise<void> {
  const process = running.get(node);
  running.delete(node);
  try {
    process?.kill("SIGKILL");
  } catch (error) {
    // It has ended by itself, and why the cluster is given up says more.
    if (!(error instanceof TypeError)) throw error;
  }
  await process?.status;
}

/** Waits until these nodes, and no others, are active. */
async function untilActive(
  origin: string,
  nodes: readonly string[],
): Promise<void> {
  const all = nodes.toSorted().join();
  await until(
    `${all} are active`,
    { triesMax: START_TRIES_MAX, waitMs: START_WAIT_MS },
    async () => (await trinoNodes(origin)).join() === all,
  );
}

/**
 * Stops a worker with a task of a statement that begins so, and gives its name;
 * undefined if there is none. All are stopped until it is known, lest they end
 * their tasks meanwhile.
 */
async function stopAtWork(
  { origin, start, running }: {
    origin: string;
    start: string;
    running: ReadonlyMap<string, Deno.ChildProcess>;
  },
): Promise<string | undefined> {
  const state = "RUNNING";
  const [query] = await trinoStatements(origin, { start, state });
  if (query === undefined) return undefined;
  const workers = [...running].filter(([node]) => node !== COORDINATOR);
  for (const [_node, process] of workers) process.kill("SIGSTOP");
  await new Promise((wake) => setTimeout(wake, STOPPED_MS));
  const tasks = await trinoTasks(origin, query);
  const found = tasks.find((task) =>
    task.state === state && task.node !== COORDINATOR
  );
  for (const [node, process] of workers) {
    if (node !== found?.node) process.kill("SIGCONT");
  }
  return found?.node;
}

async function cpuSecondsOf(
  running: ReadonlyMap<string, Deno.ChildProcess>,
): Promise<number> {
  const pids = [...running.values()].map(({ pid }) => String(pid));
  const found = await new Deno.Command("ps", {
    args: ["-o", "cputimes=", "-p", pids.join()],
  }).output();
  return new TextDecoder().decode(found.stdout).trim().split(/\s+/)
    .reduce((sum, seconds) => sum + Number(seconds), 0);
}

function untilRuns(what: string, isSo: () => Promise<boolean>): Promise<void> {
  return until(
    what,
    { triesMax: RUNNING_TRIES_MAX, waitMs: RUNNING_WAIT_MS },
    isSo,
  );
}

async function until(
  what: string,
  { triesMax, waitMs }: { triesMax: number; waitMs: number },
  isSo: () => Promise<boolean>,
): Promise<void> {
  for (let attempt = 1; attempt <= triesMax; attempt++) {
    if (await isSo()) return;
    await new Promise((wake) => setTimeout(wake, waitMs));
  }
  throw new Error(`Trino: gave up waiting until ${what}`);
}
