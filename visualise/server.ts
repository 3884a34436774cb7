import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { join } from "node:path";
import { type Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { html } from "hono/html";
import { streamSSE } from "hono/streaming";
import type { Logger } from "@logtape/logtape";
import { LOCAL_HOSTS, projectDirectory } from "../lib/config.ts";
import { messageOf, StageError } from "../lib/errors.ts";
import { sqlState, type TextRow } from "../lib/postgres.ts";
import { MODELS } from "../sql/models/models.ts";
import type { Live, LiveEvent } from "./live.ts";
import { SERVED_FILES } from "./served_files.ts";
import type { QueryName, Warehouse } from "./warehouse.ts";

/** What the server answers from. */
export interface ServerOptions {
  warehouse: Warehouse;
  /** Undefined where answers can't stream: pages then ask again and again. */
  live: Live | undefined;
  log: Logger;
  /** Whoever asks must show it; undefined: nobody is asked. */
  token: string | undefined;
}

/** No such table, schema, role. */
const EMPTY_STATES = ["42P01", "3F000", "22023"];
/** Out of the type's range, or no text of Postgres. */
const BAD_VALUE_STATES = ["22003", "22021"];
const HEARTBEAT_MS = 15_000;
const HEALTH_MS = 1_000;
const COOKIE = "totesys_dashboard";
const COOKIE_SECONDS = 30 * 24 * 3600;
const CHANGES_MAX = 200;
const BATCHES_MAX = 200;
const ROWS_MAX = 200;
/** What the view of the business is made of; each is a scan of a fact. */
const TOTALS = [
  "sales",
  "purchases",
  "payments",
] as const satisfies readonly QueryName[];
/** What every fact's rows are chosen by, first, in the queries' order. */
const COMMON_FILTERS = ["month", "from", "to", "currency", "counterparty"];
/** The rows behind a figure: by what more they are chosen, in that order. */
const ROWS: Record<string, { query: QueryName; filters: readonly string[] }> = {
  sales: {
    query: "sales_rows",
    filters: ["country", "staff", "design", "department"],
  },
  purchases: {
    query: "purchase_rows",
    filters: ["country", "staff", "department"],
  },
  payments: { query: "payment_rows", filters: ["kind", "state"] },
};
/** The facts whose history can be asked for, as addresses name them. */
const FACTS: Record<string, string> = {
  "sales-order": "sales order",
  "purchase-order": "purchase order",
  "payment": "payment",
};
/** What the detail of a total is, by what it is a total of. */
const DETAILS: Record<string, string> = {
  counterparty: "country",
  staff: "department",
};
const MONTHS = ["month", "from", "to"];
const HEADERS = {
  "content-security-policy": "default-src 'none'; script-src 'self'; " +
    "style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
};

/** The dashboard's server: what answers a request. */
export function createServer(options: ServerOptions): Hono {
  const { warehouse, live, log, token } = options;
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(HEADERS)) {
      context.res.headers.set(name, value);
    }
  });
  if (token === undefined) {
    // A page from elsewhere whose name leads here could read along.
    app.use(async (context, next) => {
      const { hostname } = new URL(context.req.url);
      if (LOCAL_HOSTS.includes(hostname.replace(/^\[|\]$/g, ""))) {
        return await next();
      }
      return context.text("Ask for 127.0.0.1 or localhost.", 403);
    });
  }
  let known = { lake: "", batch: 0 };
  const newest = async () => {
    const [row] = await warehouse.ask("newest").catch((error) => {
      // Before its first load the warehouse has neither tables nor role.
      if (EMPTY_STATES.includes(sqlState(error) ?? "")) return [];
      throw error;
    });
    const now = { lake: row?.lake_id ?? "", batch: Number(row?.batch ?? 0) };
    const isOther = now.lake !== known.lake || now.batch < known.batch;
    // What can't hear of a rebuild keeps nothing from one batch to the next.
    const isDeaf = live === undefined && now.batch !== known.batch;
    if (isOther || isDeaf) warehouse.forget();
    known = now;
    return row;
  };
  // A batch that is told again was made anew: by a rebuild, or a resync.
  live?.listen((event) => {
    if (event.type === "batch" && event.batch <= known.batch) {
      warehouse.forget();
    } else if (event.type === "link" && !event.up) {
      void warehouse.disconnect();
    }
  });
  let health: { at: number; row: Promise<TextRow | undefined> } | undefined;
  app.get("/health", async (context) => {
    // Anybody may ask, so it costs no more than a query a second.
    if (health === undefined || performance.now() - health.at > HEALTH_MS) {
      health = { at: performance.now(), row: newest() };
    }
    const row = await health.row;
    return context.json({ ok: true, batch: row?.batch ?? null });
  });
  app.post("/login", async (context) => {
    const { token: given } = await context.req.parseBody();
    if (token === undefined || !isSame(String(given ?? ""), token)) {
      return context.html(loginPage("That is not the token."), 401);
    }
    setCookie(context, COOKIE, digest(token).toString("hex"), {
      httpOnly: true,
      sameSite: "Strict",
      secure: new URL(context.req.url).protocol === "https:",
      path: "/",
      maxAge: COOKIE_SECONDS,
    });
    return context.redirect("/", 303);
  });
  app.use(async (context, next) => {
    if (token === undefined || isAllowed(context, token)) return await next();
    if (context.req.header("accept")?.includes("text/html")) {
      return context.html(loginPage(""), 401);
    }
    return context.text("Sign in with the dashboard's token.", 401, {
      "www-authenticate": 'Basic realm="Totesys dashboard"',
    });
  });
  for (const { path, file, type, cache } of SERVED_FILES) {
    const text = Deno.readTextFileSync(join(projectDirectory(), file));
    app.get(path, (context) =>
      context.body(text, 200, {
        "content-type": type,
        "cache-control": cache,
      }));
  }
  /** Of a batch to come there is nothing yet that could be kept. */
  const loadedBatch = async (context: Context) => {
    const batch = wholeNumber(context.req.param("batch") ?? "");
    if (batch > known.batch) await newest();
    if (batch >= 1 && batch <= known.batch) return batch;
    throw new RangeError(
      `batch ${batch} is not in the warehouse: 1 to ${known.batch}`,
    );
  };
  app.get(
    "/api/newest",
    async (context) => context.json(await newest() ?? null),
  );
  app.get("/api/overview/:batch", async (context) => {
    const batch = await loadedBatch(context);
    const filters = readFilters(context, ["from", "to", "counterparty"]);
    // As bytes, since every open page asks for it when a batch has come.
    const json = await warehouse.once(
      ["overview", batch, ...filters],
      async () => {
        const totals = await Promise.all(TOTALS.map(async (name) => {
          const rows = await warehouse.ask(name, [batch, ...filters]);
          return [name, splitTotals(rows)] as const;
        }));
        const parties = await warehouse.askOnce("counterparties", [batch]);
        const [asked] = await warehouse.askOnce("batch", [batch]);
        const overview = {
          batch,
          snapshot_time: asked?.snapshot_time,
          ...Object.fromEntries(totals),
          counterparties: parties.map(({ name }) => name),
        };
        return new TextEncoder().encode(JSON.stringify(overview));
      },
    );
    return context.body(json, 200, { "content-type": "application/json" });
  });
  app.get("/api/rows/:fact/:batch", async (context) => {
    const found = ROWS[context.req.param("fact")];
    if (found === undefined) return context.notFound();
    const batch = await loadedBatch(context);
    const rows = await warehouse.askOnce(found.query, [
      batch,
      ...readFilters(context, [...COMMON_FILTERS, ...found.filters]),
      ROWS_MAX,
    ]);
    return context.json({
      matching: Number(rows[0]?.matching ?? 0),
      rows: rows.map(({ matching: _, ...row }) => row),
    });
  });
  app.get("/api/changes/:batch", async (context) => {
    const batch = await loadedBatch(context);
    const since = wholeNumber(context.req.query("since") ?? String(batch - 1));
    if (since < 0 || since >= batch) {
      throw new RangeError(`since is a batch before ${batch}, not ${since}`);
    }
    const rows = await warehouse.askOnce("changes", [
      since,
      batch,
      CHANGES_MAX,
    ]);
    const isCut = (fact: string) =>
      rows.filter((row) => row.fact === fact).length === CHANGES_MAX;
    return context.json({
      changes: rows.map(readChange),
      cut: Object.values(FACTS).filter(isCut),
      most: CHANGES_MAX,
    });
  });
  app.get("/api/history/:fact/:key", async (context) => {
    const fact = FACTS[context.req.param("fact")];
    if (fact === undefined) return context.notFound();
    const key = wholeNumber(context.req.param("key"));
    const versions = await warehouse.ask("fact_history", [fact, key]);
    return context.json(readHistory(versions));
  });
  app.get("/api/pipeline", async (context) => {
    const [freshness, batches, verification] = await Promise.all([
      warehouse.ask("freshness"),
      warehouse.ask("batches", [BATCHES_MAX]),
      warehouse.ask("verification"),
    ]);
    return context.json({ freshness, batches, verification });
  });
  app.get("/api/batches/:batch", async (context) => {
    const batch = await loadedBatch(context);
    const [ledger, models, files, findings] = await Promise.all(
      (["batch", "batch_models", "batch_files", "batch_findings"] as const)
        .map((name) => warehouse.askOnce(name, [batch])),
    );
    return context.json({
      ledger: ledger?.[0],
      models: models?.map(({ model, ...counts }) => ({
        model,
        made_from: MODELS.find(({ name }) => name === model)?.reads.join(", "),
        ...counts,
      })),
      files,
      findings,
    });
  });
  app.get("/events", (context) => {
    // A browser that gets this does not ask again.
    if (live === undefined) return context.body(null, 204);
    return streamSSE(context, async (stream) => {
      const queue: LiveEvent[] = [];
      let wake = () => {};
      const end = live.listen((event) => {
        queue.push(event);
        wake();
      });
      stream.onAbort(() => {
        end();
        wake();
      });
      while (!stream.aborted) {
        const event = queue.shift();
        if (event?.type === "end") break;
        if (event !== undefined) {
          const { type, ...data } = event;
          await stream.writeSSE({ event: type, data: JSON.stringify(data) });
          continue;
        }
        let timer: ReturnType<typeof setTimeout> | undefined;
        await new Promise<void>((done) => {
          wake = done;
          timer = setTimeout(done, HEARTBEAT_MS);
        });
        clearTimeout(timer);
        if (queue.length === 0) await stream.write(": here\n\n");
      }
      end();
    });
  });
  app.onError((error, context) => {
    if (error instanceof RangeError) {
      return context.json({ message: error.message }, 400);
    }
    if (BAD_VALUE_STATES.includes(sqlState(error) ?? "")) {
      return context.json({ message: "There can be no such value." }, 400);
    }
    // Who runs the function reads the password anew, and asks again.
    if (live === undefined && isLoginRefused(error)) throw error;
    log.error("{path}: {reason}", {
      path: context.req.path,
      reason: messageOf(error),
    });
    return context.json({ message: "The warehouse did not answer." }, 503);
  });
  app.notFound((context) => context.json({ message: "Not found." }, 404));
  return app;
}

function isLoginRefused(error: Error): boolean {
  return error instanceof StageError && error.loginRefused;
}

/** Bearer and Basic (any name) for programs, a cookie for people's browsers. */
function isAllowed(context: Context, token: string): boolean {
  const header = context.req.header("authorization") ?? "";
  const [, bearer] = /^Bearer (.+)$/.exec(header) ?? [];
  const [, basic] = /^Basic ([\w+/]+={0,2})$/.exec(header) ?? [];
  if (bearer !== undefined) return isSame(bearer, token);
  if (basic !== undefined) {
    const text = Buffer.from(basic, "base64").toString();
    return isSame(text.replace(/^[^:]*:/, ""), token);
  }
  const cookie = getCookie(context, COOKIE) ?? "";
  return isSame(cookie, digest(token).toString("hex"));
}

/** Takes the same time wherever two texts differ. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * What a browser shows to who has not signed in. It asks by a form, since AWS
 * renames the header by which browsers would ask.
 */
function loginPage(problem: string) {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Totesys: sign in</title>
  </head>
  <body>
    <main>
      <h1>Totesys</h1>
      <form method="post" action="/login">
        <label>Token <input type="password" name="token" required autofocus></label>
        <button>Sign in</button>
      </form>
      <p role="alert">${problem}</p>
    </main>
  </body>
</html>`;
}

/** What the address asks for, by name; null where it says nothing. */
function readFilters(
  { req }: Context,
  names: readonly string[],
): (string | null)[] {
  return names.map((name) => {
    const value = req.query(name) ?? "";
    if (value === "") return null;
    if (MONTHS.includes(name) && !/^\d{4}-(0[1-9]|1[0-2])$/.test(value)) {
      throw new RangeError(`"${value.slice(0, 40)}" is no month: YYYY-MM`);
    }
    return value;
  });
}

/** The rows of a scan by what they are totals of, which then has its name. */
function splitTotals(rows: readonly TextRow[]): Record<string, TextRow[]> {
  const split: Record<string, TextRow[]> = {};
  for (const { by, name, detail, ...figures } of rows) {
    if (by == null) continue;
    const detailName = DETAILS[by];
    (split[by] ??= []).push({
      [by]: name ?? null,
      ...(detailName === undefined ? {} : { [detailName]: detail ?? null }),
      ...figures,
    });
  }
  return split;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^-?\d{1,15}$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new RangeError(`"${text.slice(0, 40)}" is no whole number`);
}

/** Rows of the database's JSON, of which only columns that differ are told. */
function readChange({ fact, key, before, after }: TextRow) {
  return { fact, key, ...difference(before, after) };
}

/** What happened to a fact, in order: its versions one after the other. */
function readHistory(versions: readonly TextRow[]) {
  return versions.flatMap((one, index) => {
    const before = versions[index - 1];
    const after = versions[index + 1];
    // It was deleted where no version follows at once.
    const goesOn = before?.to_batch === one.from_batch;
    const begun = {
      batch: one.from_batch,
      at: one.valid_from,
      ...difference(goesOn ? before?.version : null, one.version),
    };
    const gone = one.to_batch !== null && one.to_batch !== after?.from_batch;
    return gone
      ? [begun, {
        batch: one.to_batch,
        at: one.valid_to,
        ...difference(one.version, null),
      }]
      : [begun];
  });
}

/** Two versions of a row as the database's JSON: the columns that differ. */
function difference(
  before: string | null | undefined,
  after: string | null | undefined,
) {
  const was = JSON.parse(before ?? "null");
  const is = JSON.parse(after ?? "null");
  const hidden = /_record_id$|^valid_|_batch$/;
  const columns = Object.keys(is ?? was ?? {}).filter((name) =>
    !hidden.test(name) && was?.[name] !== is?.[name]
  );
  return {
    kind: was === null ? "added" : is === null ? "deleted" : "updated",
    columns: columns.map((name) => ({
      name,
      before: was?.[name] ?? null,
      after: is?.[name] ?? null,
    })),
  };
}
