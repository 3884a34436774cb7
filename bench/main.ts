/**
 * `deno task bench [--orders 1000000]`: times each stage as a separate process,
 * on an embedded Postgres: the first load, a thousand changes, and nothing
 * changed. Prints a table of wall seconds and peak resident memory. With
 * `--questions`, ten more batches follow, and analysts' questions. With
 * `--against plain,floor,duckscan,dlt` it times the pipeline as a whole beside
 * these, `--repeats 3` times, and exits 1 if a first load takes over
 * `--at-most 2` times as long; see bench/README.md. A wrong option exits 2.
 */
import { join } from "node:path";
import { fillSource } from "../demo/fill.ts";
import {
  PLACES,
  THOUSAND_CHANGES,
  thousandthSql,
} from "../demo/measured_trade.ts";
import { withClient } from "../demo/with_client.ts";
import {
  type PostgresServer,
  startPostgresServer,
} from "../embedded/postgres_server.ts";
import { exitCode, messageOf } from "../lib/errors.ts";
import { compareWith } from "./against.ts";
import { measureStage } from "./measure_stage.ts";
import { type Options, readOptions } from "./options.ts";
import { askQuestions } from "./questions.ts";
import { serverCpuSeconds } from "./server_cpu.ts";

const STAGES = ["extract", "transform", "load"] as const;
const SEED = 1;
/** Batches before questions are asked, as of the one in the middle. */
const BATCHES_ASKED = 10;

const options = readOrExit(Deno.args);
const folder = await Deno.makeTempDir({ prefix: "totesys-bench-" });
const binDir = Deno.env.get("BENCH_POSTGRES_BIN");
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
  console.log(`filling the source: ${options.orders} sales orders`);
  await withClient(server.url("totesys"), async (client) => {
    await fillSource(client, {
      seed: SEED,
      salesOrders: options.orders,
    });
    // The peers' warehouse can't hold what has none.
    if (options.peers !== undefined) {
      await client.query(PLACES);
    }
    await client.query("checkpoint");
  });
  if (options.peers === undefined) await timeStages(server);
  else {
    const multiples = await compareWith(options.peers, {
      server,
      folder,
      changes: THOUSAND_CHANGES,
      repeats: options.repeats,
    });
    // The lines of a table end at an empty one.
    console.log();
    for (const [peer, multiple] of multiples) {
      console.log(`first load: ${multiple.toFixed(2)} times that of ${peer}`);
      if (!(multiple <= options.atMost)) Deno.exitCode = 1;
    }
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}

function readOrExit(args: readonly string[]): Options {
  try {
    return readOptions(args);
  } catch (error) {
    console.error(messageOf(error));
    Deno.exit(exitCode(error));
  }
}

/** Times each stage for the first load, for changes, and for nothing. */
async function timeStages(server: PostgresServer): Promise<void> {
  await Deno.mkdir(join(folder, "lake"));
  const env = {
    SOURCE_URL: server.url("totesys"),
    WAREHOUSE_URL: server.url("warehouse"),
    INGESTION_URL: join(folder, "lake", "ingestion"),
    PROCESSED_URL: join(folder, "lake", "processed"),
    TEMP_DIRECTORY: join(folder, "temp"),
  };
  console.log("| run | stage | wall s | client, server CPU s | peak MB |");
  console.log("| --- | --- | --- | --- | --- |");
  for (const run of ["first load", "1,000 changes", "nothing changed"]) {
    if (run === "1,000 changes") {
      await withClient(server.url("totesys"), async (client) => {
        for (const change of THOUSAND_CHANGES) await client.query(change);
      });
    }
    for (const stage of STAGES) await time(run, stage);
  }
  if (options.questions) {
    for (let part = 1; part <= BATCHES_ASKED; part++) {
      await withClient(server.url("totesys"), async (client) => {
        await client.query(thousandthSql(String(part)));
      });
      await time(`a thousandth, ${part}`, "operate/run.ts");
    }
    await askQuestions(env, { batch: BATCHES_ASKED / 2 });
  }
  // At the end, source, lake and warehouse are compared.
  await time("at the end", "verify");

  async function time(run: string, stage: string): Promise<void> {
    const before = await serverCpuSeconds(join(folder, "postgres"));
    const { seconds, cpuSeconds, peakMb } = await measureStage(stage, env);
    const ofServer = await serverCpuSeconds(join(folder, "postgres")) - before;
    const cpu = [cpuSeconds, ofServer].map((one) => one.toFixed(1));
    console.log(
      `| ${run} | ${stage} | ${seconds.toFixed(2)} | ${cpu.join(", ")} | ${
        peakMb.toFixed(0)
      } |`,
    );
  }
}
