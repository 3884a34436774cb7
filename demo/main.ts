import { join } from "node:path";
import { runCommand, type World } from "../lib/command.ts";
import { projectDirectory, readConfig } from "../lib/config.ts";
import { ConfigError } from "../lib/errors.ts";
import { fetchHttpfs } from "../lib/httpfs.ts";
import { openLog } from "../lib/log.ts";
import { SILENT } from "../lib/progress.ts";
import type { StageContext } from "../lib/stage.ts";
import { parseInterval, runForever } from "../pipeline/pipeline.ts";
import { createDisplay } from "./display.ts";
import { fillSource, SALES_ORDERS } from "./fill.ts";
import { demoHints } from "./hints.ts";
import { type PostgresServer, startPostgresServer } from "./postgres_server.ts";
import { startS3Server } from "./s3_server.ts";
import { runTraffic } from "./traffic.ts";
import { withClient } from "./with_client.ts";

const USAGE = `deno task demo [--s3] [--reset] [--every 5s] [--minutes N]

The whole platform at work: an embedded Postgres with the Totesys source and
the warehouse, live traffic on the source, and the pipeline every few seconds.

  --s3             the lake in an embedded S3 server, through httpfs
  --reset          start over: forget what the last demo made
  --every 5s       how often the pipeline runs
  --minutes N      stop after N minutes; without it, at Ctrl-C
  --port N         of Postgres; 54329 if it isn't said
  --orders N       sales orders to begin with; ${SALES_ORDERS} if it isn't said
  --directory DIR  where everything is kept; .demo if it isn't said`;
const PORT = 54_329;
const S3_PORT_OFFSET = 1;
const SEED = 20_221_103;
const TRANSACTIONS_PER_SECOND = 10;
const DRAW_EVERY_MS = 500;
const BUCKETS = { ingestion: "totesys-ingestion", processed: "totesys-lake" };
/** What the demo makes in its directory, and `--reset` removes. */
const FOLDERS = ["postgres", "postgres.unfinished", "lake", "s3"];

interface DemoOptions {
  directory: string;
  port: number;
  salesOrders: number;
  everyMs: number;
  s3: boolean;
  signal: AbortSignal;
  write: (text: string) => void;
  live: boolean;
  color: boolean;
}

/** Runs `deno task demo`; gives the exit code. */
export function main(args: readonly string[], world?: World): Promise<number> {
  return runCommand(
    {
      name: "demo",
      usage: USAGE,
      needs: [],
      options: {
        s3: { type: "boolean" },
        reset: { type: "boolean" },
        every: { type: "string" },
        minutes: { type: "string" },
        port: { type: "string" },
        orders: { type: "string" },
        directory: { type: "string" },
      },
      run: async (context, { flags, write, json }) => {
        const numberOf = (name: string, fallback: number) => {
          const value = Number(flags[name] ?? fallback);
          if (value > 0) return value;
          throw new ConfigError([`--${name} is "${flags[name]}", no number`]);
        };
        const directory = String(
          flags.directory ?? join(projectDirectory(), ".demo"),
        );
        const signals = [context.signal];
        if (flags.minutes !== undefined) {
          signals.push(AbortSignal.timeout(numberOf("minutes", 1) * 60_000));
        }
        const port = numberOf("port", PORT);
        if (flags.reset === true) await reset(directory, port);
        await runDemo(context, {
          directory,
          port,
          salesOrders: numberOf("orders", SALES_ORDERS),
          everyMs: parseInterval(String(flags.every ?? "5s")),
          s3: flags.s3 === true,
          signal: AbortSignal.any(signals),
          write,
          live: !json,
          color: !json && !Deno.env.get("NO_COLOR"),
        });
        write("stopped as asked\n");
      },
    },
    args,
    world,
  );
}

async function runDemo(
  context: StageContext,
  options: DemoOptions,
): Promise<void> {
  const { directory, port, everyMs, signal, write, live } = options;
  await Deno.mkdir(join(directory, "lake"), { recursive: true });
  write("starting Postgres\n");
  await using server = await startPostgresServer({
    dataDir: join(directory, "postgres"),
    port,
  });
  await prepareDatabases(server, options);
  await using s3 = options.s3 ? await startS3(options) : undefined;
  const zones = options.s3
    ? {
      INGESTION_URL: `s3://${BUCKETS.ingestion}/demo`,
      PROCESSED_URL: `s3://${BUCKETS.processed}/demo`,
      AWS_ENDPOINT_URL: s3?.endpoint,
      AWS_ACCESS_KEY_ID: "demo",
      AWS_SECRET_ACCESS_KEY: "demodemo",
      DUCKDB_EXTENSION_DIRECTORY: join(projectDirectory(), ".duckdb"),
    }
    : {
      INGESTION_URL: join(directory, "lake", "ingestion"),
      PROCESSED_URL: join(directory, "lake", "processed"),
    };
  const env: Record<string, string | undefined> = {
    SOURCE_URL: server.url("totesys"),
    WAREHOUSE_URL: server.url(warehouseOf(options)),
    ...zones,
  };
  const config = readConfig((name) => env[name], [
    "source",
    "warehouse",
    "ingestion",
    "processed",
  ]);
  let batch = 0;
  const hints = () =>
    demoHints({
      sourceUrl: server.url("totesys"),
      warehouseUrl: server.url(warehouseOf(options)),
      lake: config.processedUrl,
      s3Endpoint: s3?.endpoint,
      batch,
    });
  const display = createDisplay({
    ...options,
    size: () => Deno.consoleSize(),
    now: () => Date.now(),
    hints,
  });
  const log = await openLog({
    json: false,
    color: false,
    write: (line) => {
      if (/ (warning|error): /.test(line)) display.notice(line);
    },
  });
  const timer = setInterval(() => display.draw(), DRAW_EVERY_MS);
  const traffic = runTraffic({
    url: server.url("totesys"),
    seed: SEED + Date.now(),
    signal,
    transactionsPerSecond: TRANSACTIONS_PER_SECOND,
    onEvent: (event) => display.traffic(event),
  });
  try {
    await Promise.all([
      traffic,
      runForever({ ...context, config, log, progress: SILENT, signal }, {
        everyMs,
        onResult: (result, ms) => {
          batch = result.batches.at(-1) ?? batch;
          display.stage(result, ms);
        },
      }),
    ]);
  } finally {
    clearInterval(timer);
    display.end();
    if (!live) write(`\n${hints()}\n`);
    write("stopping; everything made so far is kept\n");
  }
}

/** A warehouse takes batches of one lake only, so each lake has its own. */
function warehouseOf({ s3 }: DemoOptions): string {
  return s3 ? "warehouse_s3" : "warehouse";
}

async function prepareDatabases(
  server: PostgresServer,
  options: DemoOptions,
): Promise<void> {
  await withClient(server.url("postgres"), async (client) => {
    for (const name of ["totesys", warehouseOf(options)]) {
      const { rows } = await client.query(
        "select from pg_database where datname = $1",
        [name],
      );
      if (rows.length === 0) await client.query(`create database ${name}`);
    }
  });
  await withClient(server.url("totesys"), async (client) => {
    const { rows } = await client.query<{ there: boolean }>(
      "select to_regclass('sales_order') is not null as there",
    );
    if (rows[0]?.there) return;
    const { salesOrders } = options;
    options.write(`filling the source: ${salesOrders} sales orders\n`);
    await fillSource(client, { seed: SEED, salesOrders });
  });
}

async function startS3(options: DemoOptions) {
  options.write("starting the S3 server\n");
  await fetchHttpfs(join(projectDirectory(), ".duckdb"));
  return await startS3Server({
    port: options.port + S3_PORT_OFFSET,
    dataDir: join(options.directory, "s3"),
    buckets: Object.values(BUCKETS),
  });
}

/** Forgets a demo; its server is started first, to see that none runs. */
async function reset(directory: string, port: number): Promise<void> {
  const dataDir = join(directory, "postgres");
  try {
    await Deno.stat(dataDir);
    const server = await startPostgresServer({ dataDir, port });
    await server.stop();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const folder of FOLDERS) {
    await Deno.remove(join(directory, folder), { recursive: true }).catch(
      (error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      },
    );
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
