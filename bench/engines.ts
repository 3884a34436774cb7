/**
 * `deno task bench:engines [--orders 1000000] [--workers 1,2] [--shares]`: extracts a first load once, and
 * rebuilds the lake from it with DuckDB, and with Trino on one and on two
 * workers of this machine, each as a process of its own. Prints a table of wall
 * and CPU seconds, and of the memory of the process that runs transform, and one
 * of how Trino has divided the work, as its coordinator tells it. With
 * `--shares` it also times one process and two that type the CSV, with all
 * threads for each and with one, and the rebuilds after that are of what they
 * typed. With `--workers 0` it has no Trino.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fillSource } from "../demo/fill.ts";
import { withClient } from "../demo/with_client.ts";
import { startPostgresServer } from "../embedded/postgres_server.ts";
import {
  startTrino,
  type TrinoCluster,
  trinoEnv,
} from "../embedded/trino_cluster.ts";
import { trinoStatements, trinoTasks } from "../embedded/trino_rest.ts";
import { findTrino } from "../embedded/trino_server.ts";
import { measureStage } from "./measure_stage.ts";

const SEED = 1;
const RUNS = 2;
const ONE_THREAD = { DUCKDB_THREADS: "1" };
const MODELS_START = "insert into";

const { values } = parseArgs({
  options: {
    orders: { type: "string", default: "1000000" },
    workers: { type: "string", default: "1,2" },
    shares: { type: "boolean", default: false },
  },
});
/** The lines of the second table. */
const divided: string[] = [];
const folder = await Deno.makeTempDir({ prefix: "totesys-engines-" });
const env = {
  INGESTION_URL: join(folder, "ingestion"),
  PROCESSED_URL: join(folder, "processed"),
  TEMP_DIRECTORY: join(folder, "temp"),
};
try {
  await extractOrders();
  console.log(
    `${values.orders} sales orders, ${await csvBytes()} bytes of CSV`,
  );
  await measureStage("transform", env);
  console.log(
    "| engine | wall s | CPU s of transform | of Trino | peak MB |\n| --- | --- | --- | --- | --- |",
  );
  await measure("DuckDB", env);
  if (values.shares) {
    await measureShares();
    await measure("DuckDB, of typed files", env);
  }
  const workers = values.workers.split(",").map(Number);
  for (const number of workers) if (number > 0) await measureTrino(number);
  if (divided.length > 0) {
    console.log(
      "\n| engine | node | tasks | splits | rows |\n| --- | --- | --- | --- | --- |",
    );
    console.log(divided.join("\n"));
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** Times one process and two that type the CSV. */
async function measureShares(): Promise<void> {
  for (const [each, settings] of [["all", {}], ["1", ONE_THREAD]] as const) {
    for (const  of of[1, 2]) {
      const start = performance.now();
      const all = await Promise.all(
        Array.from(
          { length: of },
          (_, index) =>
            measureStage("transform", { ...env, ...settings }, [
              "--share",
              `${index + 1}/${of}`,
              "--batch",
              "1",
            ]),
        ),
      );
      const figures = [
        (performance.now() - start) / 1000,
        all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
        0,
        Math.max(...all.map(({ peakMb }) => peakMb)),
      ].map((figure) => figure.toFixed(1));
      console.log(
        `| typing, processes: ${of}, threads of each: ${each} | ${
          figures.join(" | ")
        } |`,
      );
    }
  }
}

async function measureTrino(workers: number): Promise<void> {
  await using trino = await startTrino({
    server: await findTrino(),
    workers: Array.from(
      { length: workers },
      (_, index) => `worker-${index + 1}`,
    ),
    jvm: ["-XX:+UseG1GC"],
  });
  const engine = `Trino, workers: ${workers}`;
  await measure(
    values.shares ? `${engine}, of typed files` : engine,
    { ...env, ...trinoEnv(trino) },
    trino,
  );
}

async function extractOrders(): Promise<void> {
  await using server = await startPostgresServer({
    dataDir: join(folder, "postgres"),
    settings: { max_wal_size: "4GB" },
  });
  await withClient(
    server.url("postgres"),
    async (client) => {
      await client.query("create database totesys");
    },
  );
  await withClient(
    server.url("totesys"),
    (client) =>
      fillSource(client, { seed: SEED, salesOrders: Number(values.orders) }),
  );
  await measureStage("extract", { ...env, SOURCE_URL: server.url("totesys") });
}

/** Times rebuilds; the first of a server that has just started is slower. */
async function measure(
  engine: string,
  settings: Record<string, string>,
  trino?: TrinoCluster,
): Promise<void> {
  for (let run = 1; run <= RUNS; run++) {
    const earlier = trino === undefined ? [] : await modelStatements(trino);
    const before = await trino?.cpuSeconds() ?? 0;
    const { seconds, cpuSeconds, peakMb } = await measureStage(
      "operate/rebuild.ts",
      settings,
      ["processed"],
    );
    const ofTrino = await trino?.cpuSeconds() ?? 0;
    const figures = [seconds, cpuSeconds, ofTrino - before, peakMb]
      .map((figure) => figure.toFixed(0));
    console.log(`| ${engine}, run ${run} | ${figures.join(" | ")} |`);
    if (trino === undefined) continue;
    const made = (await modelStatements(trino))
      .filter((id) => !earlier.includes(id));
    for (const [node, work] of await workByNode(trino, made)) {
      divided.push(
        `| ${[`${engine}, run ${run}`, node, ...work].join(" | ")} |`,
      );
    }
  }
}

/** The statements that have made models. */
function modelStatements({ origin }: TrinoCluster): Promise<string[]> {
  return trinoStatements(origin, { start: MODELS_START });
}

/** The tasks, splits and rows of statements, by the node that had them. */
async function workByNode(
  { origin }: TrinoCluster,
  statements: readonly string[],
): Promise<[node: string, work: number[]][]> {
  const tasks = (await Promise.all(
    statements.map((id) => trinoTasks(origin, id)),
  )).flat();
  const byNode = [...Map.groupBy(tasks, ({ node }) => node)];
  return byNode.sort().map(([node, own]) => [node, [
    own.length,
    own.reduce((sum, { splits }) => sum + splits, 0),
    own.reduce((sum, { rows }) => sum + rows, 0),
  ]]);
}

async function csvBytes(): Promise<number> {
  let bytes = 0;
  for await (const table of Deno.readDir(env.INGESTION_URL)) {
    if (!table.isDirectory || table.name.startsWith("_")) continue;
    for await (
      const batch of Deno.readDir(join(env.INGESTION_URL, table.name))
    ) {
      const at = join(env.INGESTION_URL, table.name, batch.name);
      for await (const { name } of Deno.readDir(at)) {
        if (name.endsWith(".csv")) {
          bytes += (await Deno.stat(join(at, name))).size;
        }
      }
    }
  }
  return bytes;
}
