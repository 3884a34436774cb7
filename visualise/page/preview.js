// @ts-check
// Figures of a moment that is passed by, without asking the server: from what
// each span of batches changed, which it is asked for once.
import { param, view } from "./address.js";
import { ourCompany } from "./company.js";
import { filters } from "./filters.js";
import { hideHeadline } from "./headline.js";
import { lastOverview, showFigures } from "./overview.js";
import { get, newestBatch } from "./state.js";
import { asked, closerRange } from "./zoom.js";

/** @typedef {import("./card_rows.js").Row} Row */
/**
 * What each span changed: the last columns are measures.
 * @typedef {{
 *   columns: string[],
 *   measures: number,
 *   rows: (string | null)[][],
 * }} Trail
 */

const MONTHS = 12;

/** @type {Map<string, Trail>} */
let trails = new Map();
/** The newest batch that they know, and what they know closer. */
let known = "";

/** Fetches what passing by needs. Without it, figures follow at rest. */
export async function prepareTrails() {
  const newest = newestBatch();
  const closer = closerRange();
  const needed = JSON.stringify([newest, closer]);
  if (known === needed || view() !== "overview") return;
  known = needed;
  const named = ourCompany().subjects.filter((one) => one.has_trail)
    .map(({ name }) => name);
  try {
    trails = new Map(
      await Promise.all(named.map((name) => askTrail(name, newest, closer))),
    );
  } catch {
    known = "";
  }
}

/**
 * What each span changed of a subject; closer within a range.
 * @param {string} name
 * @param {number} newest
 * @param {import("./zoom.js").BatchRange | null} closer
 * @returns {Promise<[string, Trail]>}
 */
async function askTrail(name, newest, closer) {
  const path = `api/trail/${name}/${newest}`;
  const [all, within] = /** @type {Trail[]} */ (await Promise.all([
    get(path),
    ...closer === null
      ? []
      : [get(`${path}?${new URLSearchParams(asked(closer))}`)],
  ]));
  if (all === undefined) throw new Error("a request has an answer");
  if (closer === null || within === undefined) return [name, all];
  const { after, to } = closer;
  const others = all.rows.filter(([batch]) =>
    Number(batch) <= after || Number(batch) > to
  );
  return [name, { ...all, rows: [...others, ...within.rows] }];
}

/** Shows the figures at the end of a span; whether any are known. */
export function showAt(/** @type {import("./strip.js").Span} */ span) {
  const last = lastOverview();
  const isFiltered = Object.values(filters()).some((value) => value !== "");
  if (last === null || isFiltered || view() !== "overview") return false;
  if (trails.size === 0) return false;
  const isAll = param("period") === "all" || last.period === "all";
  const since = isAll ? "" : monthsBefore(span.time, MONTHS - 1);
  const figures = { ...last.figures };
  for (const [name, trail] of trails) {
    figures[name] = {
      ...figures[name],
      month: monthsAt(trail, span.batch)
        .filter((row) => (row.month ?? "") >= since),
    };
  }
  // What is passed by has nothing to be compared with.
  hideHeadline();
  showFigures(span.batch, {
    ...last,
    snapshot_time: span.time,
    from: isAll ? null : `${since}-01`,
    figures,
    before: null,
    earlier: null,
    now: null,
  });
  return true;
}

/**
 * The figures of each month as of a batch: the sums of what changed up to it.
 * @param {Trail} trail
 * @param {number} batch
 */
function monthsAt({ columns, measures, rows }, batch) {
  const count = columns.length - measures;
  /** @type {Map<string, (string | number | null)[]>} */
  const sums = new Map();
  for (const row of rows) {
    if (Number(row[0]) > batch) continue;
    const key = JSON.stringify(row.slice(1, count));
    const sum = sums.get(key) ?? [...row.slice(0, count)];
    for (let index = count; index < columns.length; index++) {
      sum[index] = Number(sum[index] ?? 0) + Number(row[index] ?? 0);
    }
    sums.set(key, sum);
  }
  return [...sums.values()].map((sum) => /** @type {Row} */ (Object.fromEntries(
    columns.slice(1).map((name, index) => [name, String(sum[index + 1])]),
  )));
}

/** The month so many months before a time. */
function monthsBefore(
  /** @type {string} */ time,
  /** @type {number} */ months,
) {
  const date = new Date(`${time.slice(0, 7)}-01T00:00Z`);
  date.setUTCMonth(date.getUTCMonth() - months);
  return date.toISOString().slice(0, 7);
}
