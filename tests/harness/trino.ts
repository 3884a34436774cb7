import { join } from "node:path";
import { readConfig } from "../../lib/settings/config.ts";
import { freePort } from "./free_port.ts";
import type { Platform } from "./platform.ts";
import type { TrinoServer } from "./trino_server.ts";

/** A Trino of a test's own: a coordinator, and workers that can be killed. */
export interface TrinoCluster extends AsyncDisposable {
  /** As `TRINO_URL` has it. */
  url: string;
  /** Starts nodes, and waits until all that run see each other. */
  start(...nodes: string[]): Promise<void>;
  /** Ends a node as a power cut would. */
  kill(node: string): Promise<void>;
  /** The CPU time that its nodes have used. */
  cpuSeconds(): Promise<number>;
  /** Waits until the server runs a statement that begins so. */
  untilRunning(statement: string): Promise<void>;
}

/** What `deno task test:trino` has found; other runs of the tests have none. */
export function givenTrino(): TrinoServer | undefined {
  const server = Deno.env.get("TEST_TRINO_SERVER");
  const javaHome = Deno.env.get("TEST_TRINO_JAVA");
  return server === undefined || javaHome === undefined
    ? undefined
    : { server, javaHome };
}

export const COORDINATOR = "coordinator";

const HEAP = "1500m";
/** A server that soon starts, and is slower when it has run for long. */
const STARTS_SOON = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
/** A machine with other work to do takes minutes. */
const START_TRIES_MAX = 1200;
const START_WAIT_MS = 500;
const RUNNING_TRIES_MAX = 6000;
const RUNNING_WAIT_MS = 20;

/** Lets a platform's transform run every batch's models on a Trino server. */
export function withTrino(platform: Platform, url: string): void {
  const env: Record<string, string> = {
    TRANSFORM_ENGINE: "trino",
    TRANSFORM_ENGINE_BYTES_MIN: "0",
    TRINO_URL: url,
  };
  const { transformEngine, transformEngineBytesMin, trino } = readConfig(
    (name) => env[name],
    [],
  );
  platform.set({ transformEngine, transformEngineBytesMin, trino });
}

/** Starts a coordinator and workers; their data is in a temporary folder. */
export async function startTrino(
  { server, workers, jvm = STARTS_SOON }: {
    server: TrinoServer;
    workers: readonly string[];
    /** The options of each node's Java. */
    jvm?: readonly string[];
  },
): Promise<TrinoCluster> {
  const folder = await Deno.makeTempDir({ prefix: "totesys-trino-" });
  const origin = `http://127.0.0.1:${freePort()}`;
  const running = new Map<string, Deno.ChildProcess>();
  const kill = async (node: string) => {
    const process = running.get(node);
    running.delete(node);
    process?.kill("SIGKILL");
    await process?.status;
  };
  const cluster: TrinoCluster = {
    url: `${origin.replace("//", "//test@")}/hive/totesys`,
    start: async (...nodes) => {
      for (const node of nodes) {
        running.set(
          node,
          await spawnNode(server, { folder, origin, node, jvm }),
        );
      }
      const all = [...running.keys()].sort().join();
      await until(
        START_TRIES_MAX,
        START_WAIT_MS,
        `${all} are active`,
        async () => await activeNodes(origin) === all,
      );
    },
    kill,
    cpuSeconds: async () => {
      const pids = [...running.values()].map(({ pid }) => String(pid));
      const found = await new Deno.Command("ps", {
        args: ["-o", "cputimes=", "-p", pids.join()],
      }).output();
      return new TextDecoder().decode(found.stdout).trim().split(/\s+/)
        .reduce((sum, seconds) => sum + Number(seconds), 0);
    },
    untilRunning: (statement) =>
      until(
        RUNNING_TRIES_MAX,
        RUNNING_WAIT_MS,
        `"${statement}" runs`,
        async () =>
          (await runningStatements(origin)).some((one) =>
            one.startsWith(statement)
          ),
      ),
    [Symbol.asyncDispose]: async () => {
      for (const node of [...running.keys()]) await kill(node);
      await Deno.remove(folder, { recursive: true });
    },
  };
  try {
    await cluster.start(COORDINATOR, ...workers);
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

async function spawnNode(
  { server, javaHome }: TrinoServer,
  options: {
    folder: string;
    origin: string;
    node: string;
    jvm: readonly string[];
  },
): Promise<Deno.ChildProcess> {
  const { folder, origin, node, jvm } = options;
  const isCoordinator = node === COORDINATOR;
  const port = isCoordinator ? new URL(origin).port : freePort();
  const files: Record<string, string> = {
    "node.properties": `node.environment=test
node.id=${node}
node.data-dir=${join(folder, node)}
plugin.dir=${join(server, "plugin")}`,
    "config.properties": `coordinator=${isCoordinator}
http-server.http.port=${port}
node.internal-address=127.0.0.1
discovery.uri=${origin}
query.remote-task.max-error-duration=10s
query-manager.required-workers-max-wait=10s
${isCoordinator ? "node-scheduler.include-coordinator=false" : ""}`,
    "jvm.config": [`-Xmx${HEAP}`, ...jvm].join("\n"),
    "log.properties": "io.trino=WARN",
    "catalog/hive.properties": `connector.name=hive
hive.metastore=file
hive.metastore.catalog.dir=local://${join(folder, "metastore")}
hive.non-managed-table-writes-enabled=true
fs.native-local.enabled=true
local.location=/`,
  };
  const etc = join(folder, `${node}-etc`);
  await Deno.mkdir(join(etc, "catalog"), { recursive: true });
  await Deno.mkdir(join(folder, "metastore"), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(etc, name), `${text}\n`);
  }
  return new Deno.Command(join(server, "bin", "launcher"), {
    args: ["run", `--etc-dir=${etc}`],
    env: {
      JAVA_HOME: javaHome,
      PATH: `${join(javaHome, "bin")}:${Deno.env.get("PATH")}`,
    },
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** The names of the nodes that the coordinator sees; "" if it isn't up. */
async function activeNodes(origin: string): Promise<string> {
  const answer = await ask(origin, "/v1/status");
  if (answer === undefined) return "";
  const rows = await allRows(
    origin,
    "select node_id from system.runtime.nodes where state = 'active'",
  );
  return rows.map(([node]) => String(node)).sort().join();
}

async function allRows(origin: string, sql: string): Promise<unknown[][]> {
  const rows: unknown[][] = [];
  let answer = await ask(origin, "/v1/statement", sql);
  while (answer !== undefined) {
    rows.push(...(answer.data as unknown[][] | undefined) ?? []);
    if (typeof answer.nextUri !== "string") return rows;
    answer = await ask(origin, answer.nextUri);
  }
  return [];
}

async function runningStatements(origin: string): Promise<string[]> {
  const rows = await allRows(
    origin,
    "select query from system.runtime.queries where state = 'RUNNING'",
  );
  return rows.map(([query]) => String(query));
}

async function ask(
  origin: string,
  path: string,
  body?: string,
): Promise<Record<string, unknown> | undefined> {
  try {
    const response = await fetch(new URL(path, origin), {
      headers: { "X-Trino-User": "watcher" },
      ...body === undefined ? {} : { method: "POST", body },
    });
    if (response.ok) return await response.json();
    await response.body?.cancel();
  } catch {
    // Not up yet, or no more.
  }
  return undefined;
}

async function until(
  triesMax: number,
  waitMs: number,
  what: string,
  isSo: () => Promise<boolean>,
): Promise<void> {
  for (let attempt = 1; attempt <= triesMax; attempt++) {
    if (await isSo()) return;
    await new Promise((wake) => setTimeout(wake, waitMs));
  }
  throw new Error(`Trino: gave up waiting until ${what}`);
}
