import { type Context, Hono } from "hono";
import { join } from "node:path";
import type { Model } from "../lib/project/model.ts";
import { readProjectSql } from "../lib/project/project_sql.ts";
import { projectDirectory } from "../lib/project_directory.ts";
import type { AnswerCache } from "./answer_cache.ts";
import type { CoalescedQuery } from "./coalesced_query.ts";
import { type Encoded, sendEncoded } from "./encoded.ts";
import { compareVersions, readHistory } from "./fact_changes.ts";
import { type Figures, NAMES } from "./figures.ts";
import type { LatestBatch } from "./latest_batch.ts";
import type { Live } from "./live.ts";
import { chosenDays, twelveMonthsTo } from "./period.ts";
import type { QueryName, Warehouse } from "./warehouse.ts";

/** The sources of the answers. */
export interface ApiOptions {
  warehouse: Warehouse;
  newest: LatestBatch;
  figures: Figures;
  kept: AnswerCache;
  pipeline: CoalescedQuery<{ encoded: Encoded }>;
  /** Pushes batches to pages; undefined if they must poll. */
  live: Live | undefined;
  /** How old the data may be before it counts as stale. */
  freshnessMinutesMax: number;
}

const CHANGES_MAX = 200;
const FINDINGS_MAX = 200;
const ROWS_MAX = 200;
/** The facts whose figures are of a period. */
const ORDERS = ["sales", "purchases"] as const;
/** The filters that all facts have, in the order of the queries' parameters. */
const COMMON_FILTERS = ["month", "from", "to", "currency", "counterparty"];
/** For the rows behind a figure: the query, and its further filters. */
const ROWS = new Map<string, { query: QueryName; filters: readonly string[] }>([
  ["sales", {
    query: "sales_rows",
    filters: ["country", "staff", "design", "department"],
  }],
  ["purchases", {
    query: "purchase_rows",
    filters: ["country", "staff", "department"],
  }],
  ["payments", { query: "payment_rows", filters: ["kind", "state"] }],
]);
/** The facts whose history can be requested, by their names in paths. */
const FACTS = new Map([
  ["sales-order", "sales order"],
  ["purchase-order", "purchase order"],
  ["payment", "payment"],
]);
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;
/** The formats of filters, by name, and what messages call them. */
const FORMS: Record<string, { pattern: RegExp; what: string }> = {
  month: { pattern: /^\d{4}-(0[1-9]|1[0-2])$/, what: "month: YYYY-MM" },
  from: { pattern: /^\d{4}-\d\d-\d\d$/, what: "day: YYYY-MM-DD" },
  to: { pattern: /^\d{4}-\d\d-\d\d$/, what: "day: YYYY-MM-DD" },
  period: { pattern: /^all$/, what: "period: all" },
};

/** The pages' API, as JSON. Throws a `RangeError` for invalid requests. */
export function createApi(options: ApiOptions): Hono {
  const { newest, kept, pipeline, live } = options;
  const { models } = readProjectSql(join(projectDirectory(), "sql"));
  const api = new Hono();
  api.use(async (context, next) => {
    await next();
    context.res.headers.set("cache-control", "no-store");
  });
  /** The batch of the path, which must be loaded: answers about it are kept. */
  const loadedBatch = async (context: Context) => {
    const batch = wholeNumber(context.req.param("batch") ?? "");
    if (batch > newest.batch) await newest.read();
    if (batch > newest.batch) {
      newest.forget();
      await newest.read();
    }
    if (batch >= 1 && batch <= newest.batch) return batch;
    throw new RangeError(
      `batch ${batch} is not in the warehouse: 1 to ${newest.batch}`,
    );
  };
  api.get("/newest", async (context) => {
    // Before the query: an event during it means that it may be out of date.
    const turn = live?.turn ?? null;
    const row = await newest.read();
    return context.json({
      newest: row ?? null,
      streams: live !== undefined,
      turn,
      freshness_minutes_max: options.freshnessMinutesMax,
    });
  });
  api.get("/at", async (context) => {
    const time = context.req.query("time") ?? "";
    if (!TIME.test(time)) {
      throw new RangeError(
        `"${time.slice(0, 40)}" is not a time: YYYY-MM-DDTHH:MM:SSZ`,
      );
    }
    const [found] = await options.warehouse.ask("batch_at", [time]);
    return context.json({ batch: found === undefined ? null : found.batch });
  });
  api.get("/overview/:batch", async (context) => {
    const batch = await loadedBatch(context);
    const filters = readFilters(context, ["from", "to", "period", ...NAMES]);
    return json(
      context,
      await kept.get(
        ["overview", batch, ...filters],
        () => readOverview(options, { batch, filters }),
      ),
    );
  });
  api.get("/rows/:fact/:batch", async (context) => {
    const fact = context.req.param("fact");
    const found = ROWS.get(fact);
    if (found === undefined) return context.notFound();
    const batch = await loadedBatch(context);
    const filters = readFilters(context, [
      ...COMMON_FILTERS,
      ...found.filters,
    ]);
    return json(
      context,
      await kept.get(
        ["rows", fact, batch, ...filters],
        () => readRows(options, { query: found.query, batch, filters }),
      ),
    );
  });
  api.get("/changes/:batch", async (context) => {
    const batch = await loadedBatch(context);
    const since = wholeNumber(context.req.query("since") ?? String(batch - 1));
    if (since < 0 || since >= batch) {
      throw new RangeError(
        `since must be a batch before ${batch}, not ${since}`,
      );
    }
    return json(
      context,
      await kept.get(
        ["changes", since, batch],
        () => readChanges(options, { since, batch }),
      ),
    );
  });
  api.get("/history/:fact/:key", async (context) => {
    const fact = FACTS.get(context.req.param("fact"));
    if (fact === undefined) return context.notFound();
    const key = wholeNumber(context.req.param("key"));
    await newest.read();
    return json(
      context,
      await kept.get(
        ["history", fact, key, newest.batch],
        async () =>
          readHistory(await options.warehouse.ask("fact_history", [fact, key])),
      ),
    );
  });
  api.get(
    "/pipeline",
    async (context) => json(context, (await pipeline.get()).encoded),
  );
  api.get("/batches/:batch", async (context) => {
    const batch = await loadedBatch(context);
    return json(
      context,
      await kept.get(
        ["batch", batch],
        () => readBatch(options, { batch, models }),
      ),
    );
  });
  return api;
}

/**
 * Reads the figures as of a batch; filters: from, to, period, and names.
 * Unless days or the period `all` were chosen, orders are those of the last
 * twelve months, if there are any. Payments are of any day: what is overdue
 * stays so.
 */
async function readOverview(
  { warehouse, figures }: ApiOptions,
  { batch, filters }: { batch: number; filters: (string | null)[] },
) {
  const [from = null, to = null, asked, ...values] = filters;
  const names = Object.fromEntries(
    NAMES.map((name, index) => [name, values[index] ?? null]),
  );
  const [[ledger], parties] = await Promise.all([
    warehouse.ask("batch", [batch]),
    warehouse.ask("counterparties", [batch]),
  ]);
  const day = ledger?.snapshot_time?.slice(0, 10) ?? "";
  const at = { batch, day };
  const all = await figures.read(at, { from, to, ...names });
  const isChosen = from !== null || to !== null;
  const recent = twelveMonthsTo(day);
  const isRecent = !isChosen && asked !== "all" &&
    ORDERS.some((fact) =>
      all[fact]?.month?.some(({ month }) =>
        (month ?? "") >= (recent.shown.from ?? "").slice(0, 7)
      )
    );
  const period = isRecent ? recent : chosenDays({ from, to }, day);
  const orders = isRecent
    ? await figures.read(at, { ...recent.shown, ...names }, ORDERS)
    : {};
  return {
    snapshot_time: ledger?.snapshot_time,
    period: isRecent ? "12m" : isChosen ? "days" : "all",
    from: period?.shown.from ?? null,
    ...all,
    ...orders,
    before: period === undefined ? null : {
      ...period.before,
      ...await figures.read(at, { ...period.before, ...names }, ORDERS),
    },
    counterparties: parties.map(({ name }) => name),
  };
}

/** Reads the rows behind a figure, and how many there are in all. */
async function readRows(
  { warehouse }: ApiOptions,
  { query, batch, filters }: {
    query: QueryName;
    batch: number;
    filters: (string | null)[];
  },
) {
  const rows = await warehouse.ask(query, [batch, ...filters, ROWS_MAX]);
  return {
    matching: Number(rows[0]?.matching ?? 0),
    rows: rows.map(({ matching: _, ...row }) => row),
  };
}

/** Reads what changed between two batches, by fact. */
async function readChanges(
  { warehouse }: ApiOptions,
  { since, batch }: { since: number; batch: number },
) {
  const [[asked], rows] = await Promise.all([
    warehouse.ask("batch", [batch]),
    // One more than is shown, to find whether there are more.
    warehouse.ask("changes", [since, batch, CHANGES_MAX + 1]),
  ]);
  const byFact = Map.groupBy(rows, ({ fact }) => fact ?? "");
  const shown = [...byFact.values()]
    .flatMap((changes) => changes.slice(0, CHANGES_MAX));
  const isCut = (fact: string) => (byFact.get(fact)?.length ?? 0) > CHANGES_MAX;
  return {
    snapshot_time: asked?.snapshot_time,
    changes: shown.map(({ fact, key, before, after }) => ({
      fact,
      key,
      ...compareVersions(before, after),
    })),
    cut: [...FACTS.values()].filter(isCut),
    most: CHANGES_MAX,
  };
}

/** Reads a batch from the ledger: its models, files, and findings of checks. */
async function readBatch(
  { warehouse }: ApiOptions,
  { batch, models }: { batch: number; models: readonly Model[] },
) {
  const [[ledger], loaded, files, findings] = await Promise.all([
    warehouse.ask("batch", [batch]),
    warehouse.ask("batch_models", [batch]),
    warehouse.ask("batch_files", [batch]),
    warehouse.ask("batch_findings", [batch, FINDINGS_MAX]),
  ]);
  const sourcesOf = (model: string | null | undefined) =>
    models.find(({ name }) => name === model)?.reads.join(", ");
  return {
    ledger,
    models: loaded.map(({ model, ...counts }) => ({
      model,
      made_from: sourcesOf(model),
      ...counts,
    })),
    files,
    found: Number(findings[0]?.total ?? 0),
    findings: findings.map(({ total: _, ...finding }) => finding),
  };
}

function json(context: Context, answer: Encoded): Response {
  return sendEncoded(context, answer, { "content-type": "application/json" });
}

/** Reads the filters of a query string, by name; null if not given. */
function readFilters(
  { req }: Context,
  names: readonly string[],
): (string | null)[] {
  return names.map((name) => {
    const value = req.query(name) ?? "";
    if (value === "") return null;
    const form = FORMS[name];
    if (form !== undefined && !form.pattern.test(value)) {
      throw new RangeError(`"${value.slice(0, 40)}" is not a ${form.what}`);
    }
    return value;
  });
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^-?\d{1,15}$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new RangeError(`"${text.slice(0, 40)}" is not a whole number`);
}
