import type { Hono } from "hono";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { ConfigError, StageError } from "../lib/errors.ts";
import { type DashboardSettings, LOCAL_HOSTS } from "../lib/settings/config.ts";
import type { StageContext } from "../lib/stage.ts";
import { Live } from "./live/live_events.ts";
import { createServer } from "./server.ts";
import { zoneReader } from "./live/stage_states.ts";
import { Warehouse } from "./warehouse.ts";

const USAGE = `./totesys dashboard

Serves the live dashboard of the warehouse at DASHBOARD_LISTEN. It reads with
the role analyst only. Beyond this machine, DASHBOARD_TOKEN is required.

  --json  one JSON line per event, also on a terminal`;

const SHUTDOWN_MS = 5_000;

/** Serves the dashboard until the signal aborts; reports its address. */
export async function serveDashboard(
  context: StageContext,
  onListen: (address: string) => void = () => {},
): Promise<void> {
  const { config, resources, log, signal, clock } = context;
  const { analyst, dashboard } = config;
  if (analyst === undefined) throw new ConfigError(["ANALYST_URL is missing"]);
  if (!LOCAL_HOSTS.includes(dashboard.host) && dashboard.token === undefined) {
    throw new ConfigError([
      `DASHBOARD_LISTEN is "${dashboard.host}:${dashboard.port}", which others can reach: set DASHBOARD_TOKEN, or listen on 127.0.0.1`,
    ]);
  }
  await using warehouse = new Warehouse(analyst, resources.connect);
  const live = new Live();
  const readZones = zoneReader(context);
  const app = createServer({
    sql: context.sql,
    warehouse,
    live,
    readZones,
    log,
    freshnessMinutesMax: config.freshnessMinutesMax,
    token: dashboard.token,
    proxies: dashboard.proxies,
    clock,
  });
  live.listen((event) => {
    const isNew = event.type === "reset" || event.type === "link" && event.up;
    if (!isNew) return;
    makeFirstAnswers(app, dashboard).then((batch) => {
      if (batch === undefined) return;
      log.info("the figures of batch {batch} are ready", { batch });
    }, () => {});
  });
  const server = listen(config.dashboard, {
    handler: app.fetch,
    onListen: (address) => {
      log.info("the dashboard is at {address}", { address });
      onListen(address);
    },
  });
  const heard = live.run(analyst, { connect: resources.connect, log, signal });
  for (const { stage, hidden } of await readZones()) {
    if (hidden === null) continue;
    log.warn("the dashboard can't show the state of {name}: {reason}", {
      name: stage,
      reason: hidden,
    });
  }
  await untilAborted(signal);
  // Its end ends the streams of open pages.
  await heard;
  // Don't wait for a page that no longer reads.
  const ended = new AbortController();
  await Promise.race([
    server.shutdown(),
    sleep(SHUTDOWN_MS, undefined, { signal: ended.signal }).catch(() => {}),
  ]);
  ended.abort();
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    signal.addEventListener("abort", () => done(), { once: true });
  });
}

/**
 * Makes the answers of the page that is opened first, before it asks: nothing
 * is kept after a start or a rebuild, and the figures then take a scan of each
 * fact. Returns their batch; undefined if there are none.
 */
async function makeFirstAnswers(
  app: Hono,
  { token }: DashboardSettings,
): Promise<number | undefined> {
  const headers: HeadersInit = token === undefined
    ? {}
    : { authorization: `Bearer ${token}` };
  const ask = (path: string) =>
    app.request(`http://127.0.0.1/api/${path}`, { headers });
  const { newest } = await (await ask("newest")).json();
  if (!newest) return undefined;
  const { period } = await (await ask("company")).json();
  const { ok } = await ask(`overview/${newest.batch}?period=${period}`);
  return ok ? Number(newest.batch) : undefined;
}

function listen(
  { host, port }: DashboardSettings,
  options: {
    handler: (request: Request) => Response | Promise<Response>;
    onListen: (address: string) => void;
  },
): Deno.HttpServer {
  try {
    return Deno.serve({
      hostname: host,
      port,
      onListen: ({ hostname, port }) =>
        options.onListen(
          `http://${
            hostname.includes(":") ? `[${hostname}]` : hostname
          }:${port}/`,
        ),
    }, options.handler);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new StageError(
      `Cannot serve the dashboard at ${host}:${port}: the port is in use`,
      {
        subject: `${host}:${port}`,
        hint:
          "Stop the program that uses it, or set another port in DASHBOARD_LISTEN",
        cause: error,
      },
    );
  }
}

/** Runs `./totesys dashboard`; returns the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "dashboard",
      usage: USAGE,
      needs: ["analyst"],
      options: {},
      writesNothing: true,
      run: async (context) => {
        await serveDashboard(context);
      },
    },
    args,
    io,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
