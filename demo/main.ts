import { join, resolve } from "node:path";
import {
  type PostgresServer,
  startPostgresServer,
} from "../embedded/postgres_server.ts";
import { startS3Server } from "../embedded/s3_server.ts";
import { stopOrphan } from "../embedded/stop_orphan.ts";
import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { fetchHttpfs } from "../lib/duckdb/httpfs.ts";
import { openLog } from "../lib/log.ts";
import { readProjectSql } from "../lib/project/project_sql.ts";
import { projectDirectory } from "../lib/project_directory.ts";
import { readConfig } from "../lib/settings/config.ts";
import type { StageContext } from "../lib/stage.ts";
import { parseInterval, runForever } from "../operate/pipeline.ts";
import { serveDashboard } from "../visualise/main.ts";
import { createDisplay } from "./display.ts";
import { createEventDisplay } from "./event_display.ts";
import { type Example, exampleOf, EXAMPLES, TOTESYS } from "./examples.ts";
import { fillSource, SALES_ORDERS_MAX } from "./fill.ts";
import { lockFolder } from "./folder_lock.ts";
import { demoHints, formatHints, NO_DASHBOARD } from "./hints.ts";
import { numberFlag } from "./number_flag.ts";
import { runTraffic } from "./traffic.ts";
import { withClient } from "./with_client.ts";

const USAGE = `deno task demo [--s3] [--reset] [--every 5s] [--minutes N]

The whole platform at work: an embedded Postgres with the source and the
warehouse, live traffic on the source, and the pipeline every few seconds.

  --s3             put the lake on an embedded S3 server, through httpfs
  --reset          start over: remove what the last demo made
  --every 5s       how often the pipeline runs
  --minutes N      stop after N minutes; default: at Ctrl-C
  --port N         the port of Postgres; default: 54329
  --orders N       sales orders at first; default: ${
  EXAMPLES.map(({ name, orders }) => `${orders} of ${name}`).join(", ")
}
  --directory DIR  where everything is kept; default: .demo
  --example NAME   whose data: ${
  EXAMPLES.map(({ name }) => name).join(", ")
}; default: the first;
                   others keep theirs in DIR/NAME
  --json           one JSON line per event, also on a terminal`;
const EXTENSIONS = join(projectDirectory(), ".duckdb");
const PORT = 54_329;
/** The next port is the S3 server's, and the one after that the dashboard's. */
const PORT_MAX = 65_533;
const MINUTES_MAX = 10_000;
const S3_PORT_OFFSET = 1;
const DASHBOARD_PORT_OFFSET = 2;
const SEED = 20_221_103;
const TRANSACTIONS_PER_SECOND = 10;
const WEEK_MS = 7 * 24 * 3600 * 1000;
const DRAW_EVERY_MS = 500;
/** What the demo creates in its directory, and `--reset` removes. */
const FOLDERS = ["postgres", "postgres.unfinished", "lake", "s3"];

interface DemoOptions {
  example: Example;
  directory: string;
  port: number;
  salesOrders: number;
  everyMs: number;
  s3: boolean;
  signal: AbortSignal;
  write: (text: string) => void;
  /** Reports what happens before and after the display. */
  tell: (text: string) => void;
  json: boolean;
  color: boolean;
}

/** Runs `deno task demo`; returns the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "demo",
      usage: USAGE,
      needs: [],
      // The example's SQL is read instead of what SQL_DIRECTORY names.
      readsNoSql: true,
      options: {
        example: { type: "string" },
        s3: { type: "boolean" },
        reset: { type: "boolean" },
        every: { type: "string" },
        minutes: { type: "string" },
        port: { type: "string" },
        orders: { type: "string" },
        directory: { type: "string" },
      },
      run: async (context, { flags, write, json }) => {
        const example = exampleOf(String(flags.example ?? TOTESYS.name));
        const directory = resolve(
          String(flags.directory ?? join(projectDirectory(), ".demo")),
          example === TOTESYS ? "" : example.name,
        );
        const signals = [context.signal];
        if (flags.minutes !== undefined) {
          const minutes = numberFlag(flags, {
            name: "minutes",
            fallback: 1,
            max: MINUTES_MAX,
          });
          signals.push(AbortSignal.timeout(minutes * 60_000));
        }
        const port = numberFlag(flags, {
          name: "port",
          fallback: PORT,
          max: PORT_MAX,
          whole: true,
        });
        const salesOrders = numberFlag(flags, {
          name: "orders",
          fallback: example.orders,
          max: SALES_ORDERS_MAX,
          whole: true,
        });
        const everyMs = parseInterval(String(flags.every ?? "5s"));
        const tell = (text: string) =>
          json ? context.log.info(text) : write(`${text}\n`);
        using _lock = await lockFolder(directory);
        await stopOrphan(join(directory, "postgres"));
        if (flags.reset === true) await reset(directory);
        const sql = readProjectSql(example.sqlDirectory);
        await runDemo({ ...context, sql }, {
          example,
          directory,
          port,
          salesOrders,
          everyMs,
          s3: flags.s3 === true,
          signal: AbortSignal.any(signals),
          write,
          tell,
          json,
          color: !Deno.env.get("NO_COLOR"),
        });
        tell("stopped as asked");
      },
    },
    args,
    io,
  );
}

async function runDemo(
  context: StageContext,
  options: DemoOptions,
): Promise<void> {
  const { example, directory, port, everyMs, signal, tell, json } = options;
  await Deno.mkdir(join(directory, "lake"), { recursive: true });
  tell("starting Postgres");
  await using server = await startPostgresServer({
    dataDir: join(directory, "postgres"),
    port,
  });
  await prepareDatabases(server, options);
  await using s3 = options.s3 ? await startS3(options) : undefined;
  const buckets = bucketsOf(example);
  const zones = options.s3
    ? {
      INGESTION_URL: `s3://${buckets.ingestion}/demo`,
      PROCESSED_URL: `s3://${buckets.processed}/demo`,
      AWS_ENDPOINT_URL: s3?.endpoint,
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
  const config = readConfig((name) => env[name], [
    "source",
    "warehouse",
    "ingestion",
    "processed",
  ]);
  let batch = 0;
  const dashboard = {
    host: "127.0.0.1",
    port: port + DASHBOARD_PORT_OFFSET,
    token: undefined,
  };
  const dashboardUrl = example.hasDashboard
    ? `http://${dashboard.host}:${dashboard.port}/`
    : undefined;
  if (dashboardUrl === undefined) tell(`dashboard: ${NO_DASHBOARD}`);
  const hints = () =>
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
    });
  const now = () => Date.now();
  const display = json
    ? createEventDisplay({ ...context, ...options, now, hints })
    : createDisplay({
      ...options,
      size: () => Deno.consoleSize(),
      now,
      hints: () => formatHints(hints()),
    });
  const log = json ? context.log : await openLog({
    json,
    color: false,
    write: (line) => {
      if (/ (warning|error): /.test(line)) display.notice(line);
    },
  });
  const { progress } = display;
  const timer = setInterval(() => display.draw(), DRAW_EVERY_MS);
  const traffic = runTraffic({
    url: server.url(example.name),
    seed: SEED + Date.now(),
    signal,
    transactionsPerSecond: TRANSACTIONS_PER_SECOND,
    script: example.traffic,
    onEvent: (event) => display.traffic(event),
  });
  try {
    await Promise.all([
      traffic,
      example.hasDashboard && serveDashboard({
        ...context,
        log,
        signal,
        config: { ...config, analyst: config.warehouse, dashboard },
      }, (address) => tell(`the dashboard is at ${address}`)),
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
    tell("stopping; everything made so far is kept");
  }
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
    options.tell(`filling the source: ${salesOrders} sales orders`);
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
  options.tell("starting the S3 server");
  await fetchHttpfs(EXTENSIONS);
  return await startS3Server({
    port: options.port + S3_PORT_OFFSET,
    dataDir: join(options.directory, "s3"),
    buckets: Object.values(bucketsOf(options.example)),
  });
}

/** Removes what a demo made. */
async function reset(directory: string): Promise<void> {
  for (const folder of FOLDERS) {
    await Deno.remove(join(directory, folder), { recursive: true }).catch(
      (error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      },
    );
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
