// @ts-check
// The period that the strip shows: all batches, or those of a shorter time,
// which stands in the address.
import { note, param } from "./address.js";
import { get, newestBatch, state } from "./state.js";

/** @typedef {import("./strip.js").Span} Span */
/** The batches after one, up to another. @typedef {{ after: number, to: number }} BatchRange */

/** As many as the server answers at most. */
const SPANS_MAX = 200;
/** A strip of less shows nothing that can be chosen. */
const SPANS_MIN = 2;
/** How close to an end of the strip a place is the end, from 0 to 1. */
const EDGE = 0.02;

/**
 * The period's batches, closer than among all; null where these are as close.
 * @type {{ key: string, range: BatchRange, spans: Span[] } | null}
 */
let closer = null;
/** The lake whose batches are known, and since when: others rebuild it. */
let known = { lake: "", askedAt: 0 };
/** How long spans are added to before all are asked for again. */
const KNOWN_MS = 3_600_000;

/** The period in the address, in milliseconds; null for all batches. */
function period() {
  const [from, to] = (param("strip") ?? "").split("..").map(Date.parse);
  if (from === undefined || Number.isNaN(from)) return null;
  return { from, to: to === undefined || Number.isNaN(to) ? Infinity : to };
}

/** Whether the strip shows less than all batches. */
export function isZoomed() {
  return period() !== null;
}

/** The spans that the strip shows. */
export function shownSpans() {
  return shownStrip().spans;
}

/**
 * What the strip shows, from one time to another.
 * @returns {import("./strip.js").Strip}
 */
export function shownStrip() {
  const ends = endsOf(state.spans);
  const shorter = period();
  if (shorter === null) return { spans: state.spans, ends };
  const spans = within(shorter);
  return spans.length < SPANS_MIN
    ? { spans: state.spans, ends }
    : { spans, ends: [shorter.from, Math.min(shorter.to, ends[1])] };
}

/** The batches that are known closer; null if none are. */
export function closerRange() {
  return closer?.range ?? null;
}

/** Fetches the batches over time, and those of the period closer. */
export async function askSpans(/** @type {AbortSignal} */ signal) {
  const newest = newestBatch();
  await askAll(newest, signal);
  const shorter = period();
  const range = shorter === null ? null : rangeOf(shorter);
  if (range === null || !isCloser(range)) {
    closer = null;
    return;
  }
  const key = keyOf(range);
  if (closer?.key === key) return;
  const spans = await get(
    `api/timeline/${newest}?${new URLSearchParams(asked(range))}`,
    signal,
  );
  closer = { key, range, spans };
}

/**
 * Fetches all batches or, where those before are known, only the new ones.
 * @param {number} newest
 * @param {AbortSignal} signal
 */
async function askAll(newest, signal) {
  const lake = state.newest?.lake_id ?? "";
  const isOld = Date.now() - known.askedAt > KNOWN_MS;
  const before = state.spans;
  const spans = lake === known.lake && !isOld ? before : [];
  const last = spans.at(-1)?.batch ?? 0;
  if (last === newest) return;
  const path = `api/timeline/${newest}`;
  // Each span has as many batches as the first; of too many, two become one.
  const step = spans[0]?.batch ?? 0;
  const isSpanned = spans.length > 1 && last < newest &&
    newest - last <= SPANS_MAX && newest <= step * SPANS_MAX;
  if (isSpanned) {
    const range = new URLSearchParams(asked({ after: last, to: newest }));
    const added = await get(`${path}?${range}`, signal);
    // Another answer may have come first.
    if (state.spans === before) state.spans = withNew(spans, { added, step });
    return;
  }
  const all = await get(path, signal);
  if (state.spans !== before) return;
  state.spans = all;
  known = { lake, askedAt: Date.now() };
}

/** Lets all batches be asked for again, since others may have been rebuilt. */
export function forgetSpans() {
  known = { lake: "", askedAt: 0 };
}

/**
 * The spans with some new batches, each of which belongs to the last span or to
 * one after it.
 * @param {Span[]} spans
 * @param {{ added: Span[], step: number }} options
 */
function withNew(spans, { added, step }) {
  const all = [...spans];
  for (const one of added) {
    const index = Math.floor((one.batch - 1) / step);
    const before = all[index];
    all[index] = before === undefined ? one : {
      ...one,
      rows: before.rows + one.rows,
      found: before.found + one.found,
      behind: Math.max(before.behind, one.behind),
    };
  }
  return all;
}

/** A range as a query. */
export function asked(/** @type {BatchRange} */ { after, to }) {
  return { after: String(after), to: String(to) };
}

/** The spans of all batches that a period touches, as one range. */
function rangeOf(/** @type {{ from: number, to: number }} */ { from, to }) {
  const times = state.spans.map(({ time }) => Date.parse(time));
  const first = times.findIndex((time) => time >= from);
  const last = times.findIndex((time) => time >= to);
  if (first === -1) return null;
  return {
    after: state.spans[first - 1]?.batch ?? 0,
    to: state.spans.at(last)?.batch ?? newestBatch(),
  };
}

/** Whether a range has more to show than its spans among all batches. */
function isCloser(/** @type {BatchRange} */ { after, to }) {
  const known = state.spans.filter(({ batch }) => batch > after && batch <= to);
  return known.length < Math.min(SPANS_MAX, to - after);
}

function keyOf(/** @type {BatchRange | null} */ range) {
  return range === null ? "" : `${range.after}-${range.to}`;
}

/** The spans of a period, as close as they are known. */
function within(/** @type {{ from: number, to: number }} */ shorter) {
  const needed = rangeOf(shorter);
  const isKnown = closer !== null && needed !== null &&
    closer.range.after <= needed.after && closer.range.to >= needed.to;
  const known = isKnown ? closer?.spans ?? [] : state.spans;
  return known.filter(({ time }) => {
    const ms = Date.parse(time);
    return ms >= shorter.from && ms <= shorter.to;
  });
}

/**
 * Shows a period that is so many times as long around a place of the strip,
 * from 0 to 1; returns whether there is one.
 * @param {number} times
 * @param {number} place
 */
export function zoomBy(times, place) {
  const { ends: [first, last] } = shownStrip();
  // At an end, this stays the end.
  const near = place < EDGE ? 0 : place > 1 - EDGE ? 1 : place;
  const around = first + (last - first) * near;
  return zoomTo(
    around - (around - first) * times,
    around + (last - around) * times,
  );
}

/** Shows the period between two places of the strip. */
export function zoomBetween(
  /** @type {number} */ one,
  /** @type {number} */ other,
) {
  const { ends: [first, last] } = shownStrip();
  const [from = 0, to = 0] = [one, other].sort((a, b) => a - b)
    .map((place) => first + (last - first) * place);
  return zoomTo(from, to);
}

/** @returns {boolean} */
function zoomTo(/** @type {number} */ from, /** @type {number} */ to) {
  const [first, last] = endsOf(state.spans);
  if (!(last > first)) return false;
  const start = from <= first ? null : iso(Math.max(first, from));
  const end = to >= last ? null : iso(to);
  const before = param("strip");
  note({
    strip: start === null && end === null
      ? null
      : `${start ?? iso(first)}..${end ?? ""}`,
  });
  const shorter = period();
  if (shorter !== null && within(shorter).length < SPANS_MIN) {
    note({ strip: before });
    return false;
  }
  return param("strip") !== before;
}

/** @returns {[number, number]} */
function endsOf(/** @type {Span[]} */ spans) {
  return [
    Date.parse(spans[0]?.time ?? ""),
    Date.parse(spans.at(-1)?.time ?? ""),
  ];
}

function iso(/** @type {number} */ ms) {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
