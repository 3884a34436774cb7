import { type Context, Hono } from "hono";
import type { AnswerCache } from "./http/answer_cache.ts";
import { readBatch, readChanges, readRecord } from "./answers.ts";
import { readRows } from "./figures/figure_rows.ts";
import { readOverview } from "./figures/overview.ts";
import type { Sources } from "./sources.ts";
import { readFilters, readNames, readShown } from "./http/request_filters.ts";
import {
  readBatchNumber,
  readBatchRange,
  wholeNumber,
} from "./http/request_numbers.ts";
import type { CoalescedQuery } from "./http/coalesced_query.ts";
import type { RecordKind } from "./company.ts";
import {
  decodeJson,
  type Encoded,
  encodeJson,
  sendEncoded,
} from "./http/encoded_body.ts";
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

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;
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
  api.get("/company", async (context) => {
    const signedIn = options.asksForToken && hasCookie(context);
    const described = { ...await company.describe(), signed_in: signedIn };
    return json(context, await encodeJson(described));
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
  api.get("/timeline/:batch", async (context) => {
    const batch = await readBatchNumber(context, newest);
    const range = readBatchRange(context, batch);
    return json(
      context,
      await kept.get(
        ["timeline", batch, JSON.stringify(range)],
        () => range === null ? timeline.spans() : timeline.spansOf(range),
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
    const subjects = await company.subjects();
    const names = readNames(context, subjects.flatMap(boardsOf));
    const shown = readShown(context, { subjects, names });
    const key = [batch, ...days, JSON.stringify(names)];
    const all = () =>
      kept.get(
        ["overview", ...key],
        () => readOverview(options, { batch, days, names }),
      );
    if (shown === undefined) return json(context, await all());
    const known: string[] = decodeJson(
      await kept.get(
        ["currencies", ...key],
        async () => decodeJson(await all()).currencies,
      ),
    );
    const { lists, currency } = shown;
    // Those without figures share one answer: made-up ones would fill the cache.
    const code = currency === null || known.includes(currency) ? currency : "";
    return json(
      context,
      await kept.get(
        ["shown", ...key, lists, code],
        async () =>
          shownFigures(decodeJson(await all()), subjects, {
            lists,
            currency: code,
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
    const range = readBatchRange(context, batch);
    return json(
      context,
      await kept.get(
        ["trail", subject.name, batch, JSON.stringify(range)],
        () =>
          range === null
            ? timeline.trail(subject)
            : timeline.trailOf(subject, range),
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
    const at = context.req.query("at");
    const batch = at === undefined
      ? newest.batch
      : await readBatchNumber(context, newest, at);
    return json(
      context,
      await kept.get(
        ["history", record.name, JSON.stringify(key), newest.batch, batch],
        () =>
          readRecord(options, {
            model: record.model,
            key,
            newest: newest.batch,
            batch,
          }),
      ),
    );
  });
}

function json(context: Context, answer: Encoded): Response {
  return sendEncoded(context, answer, { "content-type": "application/json" });
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
