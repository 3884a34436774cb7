import { type Context, Hono } from "hono";
import type { Dimension } from "../lib/project/dashboard.ts";
import type { AnswerCache } from "./http/answer_cache.ts";
import {
  type Names,
  readBatch,
  readChanges,
  readOverview,
  readRecord,
  readRows,
  type Sources,
} from "./answers.ts";
import {
  readBatchNumber,
  readStretch,
  wholeNumber,
} from "./http/request_numbers.ts";
import type { CoalescedQuery } from "./http/coalesced_query.ts";
import type { RecordKind } from "./company.ts";
import { decodeJson, type Encoded, sendEncoded } from "./http/encoded_body.ts";
import type { LatestBatch } from "./live/latest_batch.ts";
import type { Live } from "./live/live_events.ts";
import { hasCookie } from "./http/sign_in.ts";
import type { StageState } from "./live/stage_states.ts";
import { shownFigures } from "./figures/shown_figures.ts";
import { boardsOf } from "./figures/subject_sql.ts";
import type { Timeline } from "./figures/timeline.ts";
import { hasTrail } from "./figures/batch_changes_sql.ts";

/** What the API needs to answer. */
export interface ApiOptions extends Sources {
  newest: LatestBatch;
  kept: AnswerCache;
  timeline: Timeline;
  pipeline: CoalescedQuery<{ encoded: Encoded }>;
  stages: CoalescedQuery<StageState[]>;
  /** Pushes batches to pages; undefined if they must poll. */
  live: Live | undefined;
  /** By which pages count how long a stage has failed or stood still. */
  clock: () => Date;
  /** How old the data may be before it counts as stale. */
  freshnessMinutesMax: number;
  /** Whether people sign in. */
  asksForToken: boolean;
}

/** Names that a filter may have at once. */
const FILTER_NAMES_MAX = 50;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;
/** The formats of filters, by name, and what messages call them. */
const FORMS: Record<string, { pattern: RegExp; what: string }> = {
  month: { pattern: /^\d{4}-(0[1-9]|1[0-2])$/, what: "month: YYYY-MM" },
  from: { pattern: /^\d{4}-\d\d-\d\d$/, what: "day: YYYY-MM-DD" },
  to: { pattern: /^\d{4}-\d\d-\d\d$/, what: "day: YYYY-MM-DD" },
  period: { pattern: /^(12m|all)$/, what: "period: 12m or all" },
};

/** The pages' API, as JSON. Throws a `RangeError` for invalid requests. */
export function createApi(options: ApiOptions): Hono {
  const api = new Hono();
  api.use(async (context, next) => {
    await next();
    context.res.headers.set("cache-control", "no-store");
  });
  addStateRoutes(api, options);
  addOverviewRoute(api, options);
  addFigureRoutes(api, options);
  addRecordRoutes(api, options);
  return api;
}

/** What is there: the newest batch, the company, the pipeline. */
function addStateRoutes(api: Hono, options: ApiOptions): void {
  const { company, newest, kept, timeline, pipeline, stages, live } = options;
  api.get("/newest", async (context) => {
    // Before the query: an event during it means that it may be out of date.
    const turn = live?.turn ?? null;
    const row = await newest.read();
    return context.json({
      newest: row ?? null,
      streams: live !== undefined,
      turn,
      freshness_minutes_max: options.freshnessMinutesMax,
      time: options.clock().toISOString(),
    });
  });
  api.get(
    "/company",
    async (context) =>
      context.json({
        ...await company.describe(),
        signed_in: options.asksForToken && hasCookie(context),
      }),
  );
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
  api.get("/timeline/:batch", async (context) => {
    const batch = await readBatchNumber(context, newest);
    const stretch = readStretch(context, batch);
    return json(
      context,
      await kept.get(
        ["timeline", batch, JSON.stringify(stretch)],
        () => stretch === null ? timeline.spans() : timeline.spansOf(stretch),
      ),
    );
  });
  api.get(
    "/pipeline",
    async (context) => json(context, (await pipeline.get()).encoded),
  );
  api.get(
    "/stages",
    async (context) => context.json({ stages: await stages.get() }),
  );
  api.get("/batches/:batch", async (context) => {
    const batch = await readBatchNumber(context, newest);
    return json(
      context,
      await kept.get(["batch", batch], () => readBatch(options, batch)),
    );
  });
}

/** The figures: all of them, or with `lists` the part that a page shows. */
function addOverviewRoute(api: Hono, options: ApiOptions): void {
  const { company, newest, kept } = options;
  api.get("/overview/:batch", async (context) => {
    const batch = await readBatchNumber(context, newest);
    const days = readFilters(context, ["from", "to", "period"]);
    const names = readNames(
      context,
      (await company.subjects()).flatMap(boardsOf),
    );
    const key = [batch, ...days, JSON.stringify(names)];
    const all = () =>
      kept.get(
        ["overview", ...key],
        () => readOverview(options, { batch, days, names }),
      );
    const [lists, currency = null] = readFilters(context, [
      "lists",
      "currency",
    ]);
    if (lists == null) return json(context, await all());
    return json(
      context,
      await kept.get(
        ["shown", ...key, lists, currency],
        async () =>
          shownFigures(decodeJson(await all()), await company.subjects(), {
            lists,
            currency,
          }),
      ),
    );
  });
}

/** What each batch changed of the figures, and the rows behind them. */
function addFigureRoutes(api: Hono, options: ApiOptions): void {
  const { company, newest, kept, timeline } = options;
  api.get("/trail/:subject/:batch", async (context) => {
    const subject = await company.subject(context.req.param("subject"));
    if (subject === undefined || !hasTrail(subject)) return context.notFound();
    const batch = await readBatchNumber(context, newest);
    const stretch = readStretch(context, batch);
    return json(
      context,
      await kept.get(
        ["trail", subject.name, batch, JSON.stringify(stretch)],
        () =>
          stretch === null
            ? timeline.trail(subject)
            : timeline.trailOf(subject, stretch),
      ),
    );
  });
  api.get("/rows/:subject/:batch", async (context) => {
    const subject = await company.subject(context.req.param("subject"));
    if (subject === undefined) return context.notFound();
    const batch = await readBatchNumber(context, newest);
    const days = readFilters(context, ["month", "from", "to"]);
    const names = readNames(context, subject.dimensions);
    return json(
      context,
      await kept.get(
        ["rows", subject.name, batch, ...days, JSON.stringify(names)],
        () => readRows(options, { subject, batch, days, names }),
      ),
    );
  });
}

/** What changed, and a record's history. */
function addRecordRoutes(api: Hono, options: ApiOptions): void {
  const { company, newest, kept } = options;
  api.get("/changes/:batch", async (context) => {
    const batch = await readBatchNumber(context, newest);
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
  api.get("/history/:record/*", async (context) => {
    const record = company.records.find(({ name }) =>
      name === context.req.param("record")
    );
    if (record === undefined) return context.notFound();
    const key = readKey(context, record);
    await newest.read();
    return json(
      context,
      await kept.get(
        ["history", record.name, JSON.stringify(key), newest.batch],
        () =>
          readRecord(options, {
            model: record.model,
            key,
            newest: Number(newest.batch),
          }),
      ),
    );
  });
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

/** Reads the names that a query string filters by, by dimension. */
function readNames(
  { req }: Context,
  dimensions: readonly Dimension[],
): Names {
  return Object.fromEntries(dimensions.flatMap(({ name }) => {
    const given = (req.queries(name) ?? []).filter((one) => one !== "");
    return given.length === 0 ? [] : [[name, given.slice(0, FILTER_NAMES_MAX)]];
  }));
}

/** Reads a record's key from a path, each part of it encoded. */
function readKey({ req }: Context, { title, model }: RecordKind): string[] {
  const { pathname } = new URL(req.url);
  const parts = pathname.slice(pathname.indexOf("/history/")).split("/").slice(
    3,
  )
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        throw new RangeError(`"${part.slice(0, 40)}" is not a part of a key`);
      }
    });
  if (parts.length === model.key.length) return parts;
  throw new RangeError(
    `the key of a ${title} is ${model.key.join("/")}, not "${
      parts.join("/").slice(0, 40)
    }"`,
  );
}
