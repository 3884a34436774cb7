import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Context, Hono } from "hono";
import type { Logger } from "@logtape/logtape";
import { messageOf, StageError } from "../lib/errors.ts";
import { sqlState } from "../lib/postgres/postgres.ts";
import type { ProjectSql } from "../lib/project/project_sql.ts";
import { platformDirectory } from "../lib/platform_directory.ts";
import { LOCAL_HOSTS } from "../lib/settings/config.ts";
import { AnswerCache } from "./http/answer_cache.ts";
import { createApi } from "./api.ts";
import { clientAddress } from "./http/client_address.ts";
import { CoalescedQuery } from "./http/coalesced_query.ts";
import { Company } from "./company.ts";
import { encode, encodeJson, sendEncoded } from "./http/encoded_body.ts";
import { streamEvents } from "./live/stream_events.ts";
import { Figures } from "./figures/figures.ts";
import { LatestBatch } from "./live/latest_batch.ts";
import type { Live } from "./live/live_events.ts";
import { formatMetrics, METRICS_TYPE } from "./live/metrics.ts";
import { readPipeline, readStages } from "./live/pipeline_view.ts";
import {
  ADDRESS_RATE,
  networkOf,
  RateLimit,
  SIGNED_IN_RATE,
  STRANGERS_RATE,
} from "./http/rate_limit.ts";
import { SERVED_FILES, type ServedFile } from "./http/served_files.ts";
import { addSignIn, isSignedIn } from "./http/sign_in.ts";
import type { ReadZones } from "./live/stage_states.ts";
import { Timeline } from "./figures/timeline.ts";
import type { Warehouse } from "./warehouse.ts";

/** What the server needs to answer requests. */
export interface ServerOptions {
  /** The company's folder of SQL. */
  sql: ProjectSql;
  warehouse: Warehouse;
  /** Undefined if answers can't stream: pages then poll. */
  live: Live | undefined;
  /** Reads where extract and transform stand. */
  readZones: ReadZones;
  log: Logger;
  /** How old the data may be before it counts as stale. */
  freshnessMinutesMax: number;
  /** The token that clients must show; undefined if none is asked for. */
  token: string | undefined;
  /** How many proxies stand before it and add to `X-Forwarded-For`. */
  proxies: number;
  /** The time, by which a sign-in ends, and which pages count by. */
  clock: () => Date;
}

/** Out of the type's range, no such day, or not a text of that type. */
const BAD_VALUE_STATES = ["22003", "22007", "22008", "22021", "22P02"];
/** How long answers are kept when a rebuild would go unnoticed. */
const POLLING_CACHE_MS = 60_000;
/** However many pages ask, the zones are read no more often. */
const STAGES_AGE_MAX_MS = 10_000;
const HEADERS = {
  "content-security-policy": "default-src 'none'; script-src 'self'; " +
    "style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** Creates the dashboard's server. */
export function createServer(options: ServerOptions): Hono {
  const { live, token, warehouse, freshnessMinutesMax, clock } = options;
  const { forgetOld, ...sources } = makeSources(options);
  const { newest, pipeline } = sources;
  const { name } = sources.company.settings;
  const limit = new RateLimit(options);
  const app = new Hono();
  addGuards(app, options, limit);
  app.get("/health", async (context) => {
    // A function at a public URL: strangers must not reach the warehouse.
    if (live === undefined && token !== undefined) {
      return context.json({ ok: true });
    }
    const row = await newest.read();
    return context.json({ ok: true, batch: row?.batch ?? null });
  });
  addPage(app, { ...options, name, limit });
  app.use("/api/*", async (_, next) => {
    forgetOld();
    await next();
  });
  app.route(
    "/api",
    createApi({
      ...sources,
      warehouse,
      live,
      clock,
      freshnessMinutesMax,
      asksForToken: token !== undefined,
    }),
  );
  app.get("/metrics", async (context) => {
    const { read } = await pipeline.get();
    return context.body(
      formatMetrics(read, {
        freshnessMinutesMax,
        requestsRefused: limit.refused,
      }),
      200,
      { "content-type": METRICS_TYPE, "cache-control": "no-store" },
    );
  });
  app.get("/events", (context) => {
    // After 204 a browser's EventSource does not reconnect.
    if (live === undefined) return context.body(null, 204);
    return streamEvents(context, live);
  });
  answerErrors(app, options);
  app.notFound((context) => context.json({ message: "Not found." }, 404));
  return app;
}

/** The page's files and, with a token, the sign-in before all but a few. */
function addPage(
  app: Hono,
  options: ServerOptions & { name: string; limit: RateLimit },
): void {
  const { token, name, limit } = options;
  const signIn = token === undefined ? undefined : { ...options, token };
  if (signIn !== undefined) {
    // Counted apart, so that no flood of strangers keeps out who is signed in.
    const strangers = (context: Context) =>
      isSignedIn(context, signIn) ? undefined : "all who are not signed in";
    app.use(limit.by(strangers, STRANGERS_RATE));
  }
  serveFiles(app, SERVED_FILES.filter(({ open }) => open), name);
  if (signIn !== undefined) addSignIn(app, signIn);
  serveFiles(app, SERVED_FILES.filter(({ open }) => !open), name);
}

/** Where answers come from, and what is kept until events say it is old. */
function makeSources(
  { sql, warehouse, live, readZones, log }: ServerOptions,
) {
  const company = new Company(sql, warehouse, log);
  const figures = new Figures(warehouse);
  const kept = new AnswerCache();
  const timeline = new Timeline(warehouse);
  const pipeline = new CoalescedQuery(async () => {
    const read = await readPipeline(warehouse, {
      newest: await newest.read(),
      readZones,
    });
    return { read, encoded: await encodeJson(read) };
  });
  const stages = new CoalescedQuery(
    async () =>
      await readStages(warehouse, { newest: await newest.read(), readZones }),
    STAGES_AGE_MAX_MS,
  );
  let keptSince = performance.now();
  const forget = () => {
    company.forget();
    figures.forget();
    kept.forget();
    timeline.forget();
    keptSince = performance.now();
  };
  const newest = new LatestBatch(warehouse, (how) => {
    // Without LISTEN, a rebuild can't be ruled out.
    if (how === "set back" || live === undefined || live.isPolling) forget();
  });
  live?.listen((event) => {
    // Answers from before the event are out of date.
    newest.forget();
    pipeline.forget();
    stages.forget();
    // While the link was down, the warehouse may have been rebuilt.
    if (event.type === "reset" || event.type === "link") forget();
    if (event.type === "link" && !event.up) void warehouse.disconnect();
  });
  /** Where a rebuild would go unnoticed, nothing is kept for long. */
  const forgetOld = () => {
    const isPolling = live === undefined || live.isPolling;
    if (isPolling && performance.now() - keptSince > POLLING_CACHE_MS) forget();
  };
  return {
    company,
    figures,
    kept,
    timeline,
    newest,
    pipeline,
    stages,
    forgetOld,
  };
}

/**
 * The headers of each answer; with a token, no more for an address than its
 * rate; and without one, only for this host.
 */
function addGuards(
  app: Hono,
  { token, proxies, clock }: ServerOptions,
  limit: RateLimit,
): void {
  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(HEADERS)) {
      context.res.headers.set(name, value);
    }
  });
  if (token === undefined) {
    // Against DNS rebinding: a foreign page whose name resolves to this host.
    app.use(async (context, next) => {
      const { hostname } = new URL(context.req.url);
      if (LOCAL_HOSTS.includes(hostname.replace(/^\[|\]$/g, ""))) {
        return await next();
      }
      return context.text("Use 127.0.0.1 or localhost as the host.", 403);
    });
    return;
  }
  // Behind one address a stranger must not keep out who is signed in.
  const networkIf = (signedIn: boolean) => (context: Context) => {
    // Probes come from the proxy's own address, or share that of all users.
    if (
      context.req.path === "/health" ||
      isSignedIn(context, { token, clock }) !== signedIn
    ) return undefined;
    const network = networkOf(clientAddress(context, proxies));
    return signedIn ? network : `${network}, not signed in`;
  };
  app.use(limit.by(networkIf(true), SIGNED_IN_RATE));
  app.use(limit.by(networkIf(false), ADDRESS_RATE));
}

/** What went wrong, without what concerns only the operator. */
function answerErrors(app: Hono, { live, log }: ServerOptions): void {
  app.onError((error, context) => {
    if (error instanceof RangeError) {
      return context.json({ message: error.message }, 400);
    }
    if (BAD_VALUE_STATES.includes(sqlState(error) ?? "")) {
      return context.json({ message: "That value is not valid." }, 400);
    }
    // The Lambda runtime then reads the password again, and retries.
    if (live === undefined && isLoginRefused(error)) throw error;
    log.error("{path}: {reason}", {
      path: context.req.path,
      reason: messageOf(error),
    });
    return context.json({ message: "The warehouse did not answer." }, 503);
  });
}

function serveFiles(
  app: Hono,
  files: readonly ServedFile[],
  companyName: string,
): void {
  for (const { path, file, type, cache } of files) {
    const text = Deno.readTextFileSync(join(platformDirectory(), file));
    // Only the page's own HTML names the company.
    const bytes = new TextEncoder().encode(
      text.replaceAll("{company}", () => escapeHtml(companyName)),
    );
    const digest = createHash("sha256").update(bytes).digest("base64url");
    const headers = {
      "content-type": type,
      "cache-control": cache,
      // Weak, since it names the content in either encoding.
      etag: `W/"${digest.slice(0, 16)}"`,
    };
    const encoded = encode(bytes);
    app.get(path, async (context) => {
      const known = context.req.header("if-none-match") ?? "";
      if (known.includes(headers.etag)) return context.body(null, 304, headers);
      return sendEncoded(context, await encoded, headers);
    });
  }
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function isLoginRefused(error: Error): boolean {
  return error instanceof StageError && error.loginRefused;
}
