import { type Context, Hono } from "hono";
import type { Dimension, Subject } from "../lib/project/dashboard.ts";
import type { AnswerCache } from "./answer_cache.ts";
import type { CoalescedQuery } from "./coalesced_query.ts";
import type { Company, RecordKind } from "./company.ts";
import { type Encoded, sendEncoded } from "./encoded.ts";
import { compareVersions, HIDDEN, readHistory } from "./fact_changes.ts";
import type { FigureFilters, Figures } from "./figures.ts";
import type { LatestBatch } from "./latest_batch.ts";
import type { Live } from "./live.ts";
import { chosenDays, twelveMonthsTo } from "./period.ts";
import { batchModelsSql, changesSql, historySql } from "./record_sql.ts";
import { boardsOf, namesSql, rowsSql } from "./subject_sql.ts";
import type { Warehouse } from "./warehouse.ts";

/** The sources of the answers. */
export interface ApiOptions {
  company: Company;
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
/** The names in the field of the filters. */
const NAMES_MAX = 2000;
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
  const { company, newest, kept, pipeline, live } = options;
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
  api.get(
    "/company",
    async (context) => context.json(await company.describe()),
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
  api.get("/overview/:batch", async (context) => {
    const batch = await loadedBatch(context);
    const days = readFilters(context, ["from", "to", "period"]);
    const names = readNames(
      context,
      (await company.subjects()).flatMap(boardsOf),
    );
    return json(
      context,
      await kept.get(
        ["overview", batch, ...days, JSON.stringify(names)],
        () => readOverview(options, { batch, days, names }),
      ),
    );
  });
  api.get("/rows/:subject/:batch", async (context) => {
    const subject = await company.subject(context.req.param("subject"));
    if (subject === undefined) return context.notFound();
    const batch = await loadedBatch(context);
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
        async () =>
          readHistory(
            await options.warehouse.ask({
              name: `history of ${record.model.name}`,
              text: historySql(record.model),
            }, key),
            record.model.recordId,
          ),
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
        () => readBatch(options, batch),
      ),
    );
  });
  return api;
}

/** Names to filter by, by dimension. */
type Names = NonNullable<FigureFilters["names"]>;

/**
 * Reads the figures as of a batch; days: from, to, period. Unless days or the
 * period `all` were chosen, they are those of the last twelve months, if there
 * are any. What is stacked by state is of any day: what is overdue stays so.
 */
async function readOverview(
  { company, warehouse, figures }: ApiOptions,
  { batch, days: [from = null, to = null, asked], names }: {
    batch: number;
    days: (string | null)[];
    names: Names;
  },
) {
  const subjects = await company.subjects();
  const [[ledger], offered] = await Promise.all([
    warehouse.ask("batch", [batch]),
    readOffered(warehouse, { batch, subjects }),
  ]);
  const day = ledger?.snapshot_time?.slice(0, 10) ?? "";
  const at = { batch, day };
  const all = await figures.read(at, { from, to, names }, subjects);
  const timed = subjects.filter(({ states }) => states === undefined);
  const isChosen = from !== null || to !== null;
  const recent = twelveMonthsTo(day);
  const isRecent = !isChosen && asked !== "all" &&
    timed.some(({ name }) =>
      all[name]?.month?.some(({ month }) =>
        (month ?? "") >= (recent.shown.from ?? "").slice(0, 7)
      )
    );
  const period = isRecent ? recent : chosenDays({ from, to }, day);
  const shown = isRecent
    ? await figures.read(at, { ...recent.shown, names }, timed)
    : {};
  return {
    snapshot_time: ledger?.snapshot_time,
    period: isRecent ? "12m" : isChosen ? "days" : "all",
    from: period?.shown.from ?? null,
    figures: { ...all, ...shown },
    before: period === undefined ? null : {
      ...period.before,
      figures: await figures.read(at, { ...period.before, names }, timed),
    },
    offered,
  };
}

/** Reads the names that the field of the filters offers. */
async function readOffered(
  warehouse: Warehouse,
  { batch, subjects }: { batch: number; subjects: readonly Subject[] },
) {
  const dimension = subjects.flatMap(boardsOf)[0];
  const text = dimension && namesSql(dimension);
  if (dimension === undefined || text === undefined) return null;
  const rows = await warehouse.ask({
    name: `names of ${dimension.name}`,
    text,
  }, [batch, NAMES_MAX]);
  return { dimension: dimension.name, names: rows.map(({ name }) => name) };
}

/** Reads the rows behind a figure, and how many there are in all. */
async function readRows(
  { company, warehouse }: ApiOptions,
  { subject, batch, days, names }: {
    subject: Subject;
    batch: number;
    days: (string | null)[];
    names: Names;
  },
) {
  const [ledger] = await warehouse.ask("batch", [batch]);
  const rows = await warehouse.ask({
    name: `rows of ${subject.name}`,
    text: rowsSql(subject),
  }, [
    batch,
    ledger?.snapshot_time?.slice(0, 10) ?? null,
    ...days,
    ROWS_MAX,
    ...subject.dimensions.map(({ name }) => names[name] ?? null),
  ]);
  const { recordId } =
    company.sql.models.find(({ name }) => name === subject.fact) ?? {};
  const named = (column: string, row: Record<string, string | null>) =>
    subject.dimensions.flatMap((one, index) =>
      one.column === column
        ? [[one.name, row[`dimension ${index}`] ?? null]]
        : []
    );
  return {
    matching: Number(rows[0]?.["matching rows"] ?? 0),
    // Names stand where the select has what refers to them.
    rows: rows.map((row) =>
      Object.fromEntries(
        Object.entries(row)
          .filter(([name]) =>
            !name.includes(" ") && !HIDDEN.test(name) && name !== recordId
          )
          .flatMap(([name, value]) => {
            const names = named(name, row);
            return [
              ...names.length === 0 || subject.key.includes(name)
                ? [[name, value]]
                : [],
              ...names,
            ];
          }),
      )
    ),
  };
}

/** Reads what changed between two batches, by model. */
async function readChanges(
  { company, warehouse }: ApiOptions,
  { since, batch }: { since: number; batch: number },
) {
  const [[asked], ...found] = await Promise.all([
    warehouse.ask("batch", [batch]),
    ...company.records.map(async (record) => ({
      record,
      // One more than is shown, to find whether there are more.
      rows: await warehouse.ask({
        name: `changes of ${record.model.name}`,
        text: changesSql(record.model),
      }, [since, batch, CHANGES_MAX + 1]),
    })),
  ]);
  return {
    snapshot_time: asked?.snapshot_time,
    changes: found.flatMap(({ record: { name, title, model }, rows }) =>
      rows.slice(0, CHANGES_MAX).map(({ key, before, after }) => ({
        record: name,
        title,
        key: JSON.parse(key ?? "[]"),
        ...compareVersions(before, after, model.recordId),
      }))
    ),
    cut: found.filter(({ rows }) => rows.length > CHANGES_MAX)
      .map(({ record }) => record.title),
    most: CHANGES_MAX,
  };
}

/** Reads a batch from the ledger: its models, files, and findings of checks. */
async function readBatch({ company, warehouse }: ApiOptions, batch: number) {
  const [[ledger], loaded, files, findings] = await Promise.all([
    warehouse.ask("batch", [batch]),
    warehouse.ask({
      name: "batch_models",
      text: batchModelsSql(company.sql.models),
    }, [batch]),
    warehouse.ask("batch_files", [batch]),
    warehouse.ask("batch_findings", [batch, FINDINGS_MAX]),
  ]);
  const sourcesOf = (model: string | null | undefined) =>
    company.sql.models.find(({ name }) => name === model)?.reads.join(", ");
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
        throw new RangeError(`"${part.slice(0, 40)}" is no part of a key`);
      }
    });
  if (parts.length === model.key.length) return parts;
  throw new RangeError(
    `the key of a ${title} is ${model.key.join("/")}, not "${
      parts.join("/").slice(0, 40)
    }"`,
  );
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^-?\d{1,15}$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new RangeError(`"${text.slice(0, 40)}" is not a whole number`);
}
