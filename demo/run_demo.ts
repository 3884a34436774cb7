import { join } from "node:path";
import {
  type PostgresServer,
  startPostgresServer,
} from "../embedded/postgres_server.ts";
import { startS3Server } from "../embedded/s3_server.ts";
import { fetchHttpfs } from "../lib/duckdb/httpfs.ts";
import { openLog } from "../lib/log.ts";
import { platformDirectory } from "../lib/platform_directory.ts";
import {
  type Config,
  type DashboardSettings,
  readConfig,
} from "../lib/settings/config.ts";
import type { StageContext } from "../lib/stage.ts";
import { runForever } from "../operate/run_stages.ts";
import { serveDashboard } from "../visualise/main.ts";
import { createDisplay } from "./display.ts";
import { createEventDisplay } from "./event_display.ts";
import type { Example } from "./examples.ts";
import { fillSource } from "./fill.ts";
import { demoHints, formatHints } from "./hints.ts";
import { runTraffic } from "./traffic.ts";
import { withClient } from "./with_client.ts";

const EXTENSIONS = join(platformDirectory(), ".duckdb");
const S3_PORT_OFFSET = 1;
const DASHBOARD_PORT_OFFSET = 2;
const SEED = 20_221_103;
const TRANSACTIONS_PER_SECOND = 10;
const WEEK_MS = 7 * 24 * 3600 * 1000;
const DRAW_EVERY_MS = 500;

/** What a demo shows, and where. */
export interface DemoOptions {
  example: Example;
  directory: string;
  /** Of Postgres; the next is the S3 server's, then comes the dashboard's. */
  port: number;
  salesOrders: number;
  everyMs: number;
  s3: boolean;
  signal: AbortSignal;
  write: (text: string) => void;
  /** Reports what happens before and after the display. */
  report: (text: string) => void;
  json: boolean;
  color: boolean;
}

/** Runs everything until the signal is aborted; what was made is kept. */
export async function runDemo(
  context: StageContext,
  options: DemoOptions,
): Promise<void> {
  const { directory, port, report } = options;
  await Deno.mkdir(join(directory, "lake"), { recursive: true });
  report("starting Postgres");
  await using server = await startPostgresServer({
    dataDir: join(directory, "postgres"),
    port,
  });
  await prepareDatabases(server, options);
  await using s3 = options.s3 ? await startS3(options) : undefined;
  const config = readConfig(
    environment(options, { server, s3Endpoint: s3?.endpoint }),
    ["source", "warehouse", "ingestion", "processed"],
  );
  await showAtWork(context, { ...options, server, config });
}

/** The settings of the stages, as the environment would give them. */
function environment(
  options: DemoOptions,
  { server, s3Endpoint }: {
    server: PostgresServer;
    s3Endpoint: string | undefined;
  },
): (name: string) => string | undefined {
  const { example, directory } = options;
  const buckets = bucketsOf(example);
  const zones = options.s3
    ? {
      INGESTION_URL: `s3://${buckets.ingestion}/demo`,
      PROCESSED_URL: `s3://${buckets.processed}/demo`,
      AWS_ENDPOINT_URL: s3Endpoint,
      AWS_ACCESS_KEY_ID: "demo",
      AWS_SECRET_ACCESS_KEY: "demodemo",
      DUCKDB_EXTENSION_DIRECTORY: EXTENSIONS,
    }
    : {
      INGESTION_URL: join(directory, "lake", "ingestion"),
      PROCESSED_URL: join(directory, "lake", "processed"),
    };
  const env: Record<string, string | undefined> = {
    SOURCE_URL: server.url(example.name),
    WAREHOUSE_URL: server.url(warehouseOf(options)),
    ...zones,
  };
  return (name) => env[name];
}

/** Traffic, pipeline and dashboard beside each other, and what they show. */
async function showAtWork(
  context: StageContext,
  options: DemoOptions & { server: PostgresServer; config: Config },
): Promise<void> {
  const { example, server, config, everyMs, signal, report } = options;
  let batch = 0;
  const dashboard: DashboardSettings = {
    host: "127.0.0.1",
    port: options.port + DASHBOARD_PORT_OFFSET,
    token: undefined,
    proxies: 0,
  };
  const dashboardUrl = `http://${dashboard.host}:${dashboard.port}/`;
  const { display, log } = await openDisplay(context, options, () =>
    demoHints({
      sourceUrl: server.url(example.name),
      warehouseUrl: server.url(warehouseOf(options)),
      dashboardUrl,
      lake: config.processedUrl,
      s3: config.s3 && {
        settings: config.s3,
        extensionDirectory: EXTENSIONS,
      },
      batch,
      fact: example.fact,
    }));
  const { progress } = display;
  const timer = setInterval(() => display.draw(), DRAW_EVERY_MS);
  try {
    await Promise.all([
      runTraffic({
        url: server.url(example.name),
        seed: SEED + Date.now(),
        signal,
        transactionsPerSecond: TRANSACTIONS_PER_SECOND,
        script: example.traffic,
        onEvent: (event) => display.traffic(event),
      }),
      serveDashboard({
        ...context,
        log,
        signal,
        config: { ...config, analyst: config.warehouse, dashboard },
      }, (address) => report(`the dashboard is at ${address}`)),
      runForever({ ...context, config, log, progress, signal }, {
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
    report("stopping; everything made so far is kept");
  }
}

/** On a terminal a picture that shows warnings as notices; else lines. */
async function openDisplay(
  context: StageContext,
  options: DemoOptions,
  hints: () => ReturnType<typeof demoHints>,
) {
  const { json } = options;
  const now = () => Date.now();
  if (json) {
    const display = createEventDisplay({ ...context, ...options, now, hints });
    return { display, log: context.log };
  }
  const display = createDisplay({
    ...options,
    size: () => Deno.consoleSize(),
    now,
    hints: () => formatHints(hints()),
  });
  const log = await openLog({
    json,
    color: false,
    write: (line) => {
      if (/ (warning|error): /.test(line)) display.notice(line);
    },
  });
  return { display, log };
}

function bucketsOf({ name }: Example) {
  return { ingestion: `${name}-ingestion`, processed: `${name}-lake` };
}

/** The database of the warehouse; one takes the batches of one lake only. */
function warehouseOf({ s3 }: DemoOptions): string {
  return s3 ? "warehouse_s3" : "warehouse";
}

async function prepareDatabases(
  server: PostgresServer,
  options: DemoOptions,
): Promise<void> {
  const { example } = options;
  await withClient(server.url("postgres"), async (client) => {
    for (const name of [example.name, warehouseOf(options)]) {
      const { rows } = await client.query(
        "select from pg_database where datname = $1",
        [name],
      );
      if (rows.length === 0) await client.query(`create database ${name}`);
    }
  });
  await withClient(server.url(example.name), async (client) => {
    const { rows } = await client.query<{ there: boolean }>(
      "select to_regclass($1) is not null as there",
      [example.filledTable],
    );
    if (rows[0]?.there) return;
    const { salesOrders } = options;
    options.report(`filling the source: ${salesOrders} sales orders`);
    await fillSource(client, {
      seed: SEED,
      salesOrders,
      // Up to last Sunday; the live traffic continues from there.
      weeksLater: Math.floor(
        (Date.now() - example.tradeEnd.getTime()) / WEEK_MS,
      ),
      ...example.files && { files: example.files },
    });
  });
}

async function startS3(options: DemoOptions) {
  options.report("starting the S3 server");
  await fetchHttpfs(EXTENSIONS);
  return await startS3Server({
    port: options.port + S3_PORT_OFFSET,
    dataDir: join(options.directory, "s3"),
    buckets: Object.values(bucketsOf(options.example)),
  });
}
