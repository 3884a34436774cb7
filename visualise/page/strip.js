// @ts-check
// The strip over time: a column for each span of batches, as high as its rows.
import { $, make, refill } from "./elements.js";
import { figure } from "./formats.js";
import { state } from "./state.js";
import { svg } from "./svg.js";
import { clock, duration, moment, shown } from "./times.js";

/**
 * Batches in a row: the last of them, when it was taken, all their rows, what
 * the checks found, and the most seconds from a snapshot to its load.
 * @typedef {{
 *   batch: number,
 *   time: string,
 *   rows: number,
 *   found: number,
 *   behind: number,
 * }} Span
 */

/**
 * Spans in order, and the times between which they are shown, in milliseconds.
 * @typedef {{ spans: Span[], ends: [number, number] }} Strip
 */

/** In per cent. */
const LOWEST = 12;
/** How far beside its ends is still on the strip, from 0 to 1. */
const EDGE = 0.005;

/** What was drawn last. */
let drawnLast = "";

/** Draws the spans, as high as their rows, if they are others than before. */
export function drawStrip(/** @type {Strip} */ strip) {
  const { spans, ends } = strip;
  const drawing = JSON.stringify([spans, ends, state.targetMinutes]);
  if (drawing === drawnLast) return;
  drawnLast = drawing;
  // By the logarithm: the first batch brings all that was there before.
  const most = Math.log1p(Math.max(1, ...spans.map(({ rows }) => rows)));
  const width = Math.min(4, 70 / Math.max(1, spans.length));
  const columns = spans.map((span, index) => {
    const height = LOWEST + (100 - LOWEST) * Math.log1p(span.rows) / most;
    return svg("rect", {
      class: lookOf(span),
      x: `${(atOf(strip, index) * (100 - width)).toFixed(2)}%`,
      width: `${width.toFixed(2)}%`,
      y: `${(100 - height).toFixed(1)}%`,
      height: `${height.toFixed(1)}%`,
    });
  });
  refill($("strip-over-time"), svg("svg", { class: "drawing" }, ...columns));
  refill(
    $("strip-ends"),
    ...endNames(ends).map((end) => make("span", {}, end)),
  );
}

/** Marks a place, from 0 to 1, if it is on the strip. */
export function markPlace(/** @type {number} */ place) {
  const mark = $("strip-mark");
  mark.hidden = !isOnStrip(place);
  mark.style.left = `${(place * 100).toFixed(2)}%`;
}

/** Whether a place is on the strip; its last time is a whole second. */
export function isOnStrip(/** @type {number} */ place) {
  return place >= -EDGE && place <= 1 + EDGE;
}

/** What the checks found goes before a load that was late. */
function lookOf(/** @type {Span} */ { found, behind }) {
  if (found > 0) return "found";
  return behind > state.targetMinutes * 60 ? "late" : "";
}

/** What a span is, in a line. */
export function wordsOf(/** @type {Span} */ span) {
  const { batch, time, rows, found, behind } = span;
  return [
    `Batch ${figure(batch)}, ${moment(time)}`,
    `${figure(rows)} rows`,
    ...found > 0
      ? [`${figure(found)} ${found === 1 ? "finding" : "findings"}`]
      : [],
    ...lookOf({ ...span, found: 0 }) === ""
      ? []
      : [`loaded after ${duration(behind)}`],
  ].join(" · ");
}

/** The first and the last day; of one day, the day and its times. */
function endNames(/** @type {[number, number]} */ ends) {
  if (ends.some(Number.isNaN)) return [];
  const times = ends.map((ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`);
  const [first, last] = times.map((time) => shown(time.slice(0, 10)));
  if (times[0] === times[1]) return ["", `${first}, ${clock(times[0])}`];
  return first === last
    ? times.map((time, end) => `${end === 0 ? `${first}, ` : ""}${clock(time)}`)
    : [first ?? "", last ?? ""];
}

/** The span that is nearest to a place, from 0 to 1. */
export function spanAt(
  /** @type {Strip} */ strip,
  /** @type {number} */ place,
) {
  const distances = strip.spans.map((_, index) =>
    Math.abs(atOf(strip, index) - place)
  );
  return strip.spans[distances.indexOf(Math.min(...distances))];
}

/** Where a time is, from 0 to 1 on the strip; now if it is not known. */
export function placeOf(
  /** @type {Strip} */ { ends: [first, last] },
  /** @type {string} */ time,
) {
  const ms = Date.parse(time.replace(" ", "T").replace(/[+]00$/, "Z"));
  if (!(last > first) || Number.isNaN(ms)) return 1;
  return (ms - first) / (last - first);
}

/** Where a span is: by its time or, if all are of one, by its order. */
function atOf(
  /** @type {Strip} */ { spans, ends: [first, last] },
  /** @type {number} */ index,
) {
  return last > first
    ? (Date.parse(spans[index]?.time ?? "") - first) / (last - first)
    : spans.length < 2
    ? 1
    : index / (spans.length - 1);
}
