// @ts-check
// The strip over time: a column for each span of batches, as high as its rows.
import { $, make, refill } from "./elements.js";
import { clock, shown } from "./formats.js";
import { svg } from "./svg.js";

/**
 * Batches in a row: the last of them, when it was taken, and all their rows.
 * @typedef {{ batch: number, time: string, rows: number }} Span
 */

/** In per cent. */
const LOWEST = 12;

/** Draws the spans, and marks a place among them, from 0 to 1. */
export function drawStrip(
  /** @type {Span[]} */ spans,
  /** @type {number} */ place,
) {
  // By the logarithm: the first batch brings all that was there before.
  const most = Math.log1p(Math.max(1, ...spans.map(({ rows }) => rows)));
  const width = Math.min(4, 70 / Math.max(1, spans.length));
  const columns = spans.map((span, index) => {
    const height = LOWEST + (100 - LOWEST) * Math.log1p(span.rows) / most;
    return svg("rect", {
      x: `${(atOf(spans, index) * (100 - width)).toFixed(2)}%`,
      width: `${width.toFixed(2)}%`,
      y: `${(100 - height).toFixed(1)}%`,
      height: `${height.toFixed(1)}%`,
    });
  });
  const mark = make("div", { class: "mark" });
  mark.style.left = `${(place * 100).toFixed(2)}%`;
  refill(
    $("strip-over-time"),
    svg("svg", { class: "drawing" }, ...columns),
    mark,
  );
  refill(
    $("strip-ends"),
    ...endNames(spans).map((end) => make("span", {}, end)),
  );
}

/** The first and the last day; of one day, its times. */
function endNames(/** @type {Span[]} */ spans) {
  const times = [spans[0]?.time ?? "", spans.at(-1)?.time ?? ""];
  const days = times.map((time) => shown(time.slice(0, 10)));
  return days[0] === days[1] ? times.map(clock) : days;
}

/** The span that is nearest to a place, from 0 to 1. */
export function spanAt(
  /** @type {Span[]} */ spans,
  /** @type {number} */ place,
) {
  const distances = spans.map((_, index) =>
    Math.abs(atOf(spans, index) - place)
  );
  return spans[distances.indexOf(Math.min(...distances))];
}

/** Where a time is on the strip, from 0 to 1; now if it is not known. */
export function placeOf(
  /** @type {Span[]} */ spans,
  /** @type {string} */ time,
) {
  const [first, last] = endsOf(spans);
  const ms = Date.parse(time.replace(" ", "T").replace(/[+]00$/, "Z"));
  if (!(last > first) || Number.isNaN(ms)) return 1;
  return Math.max(0, Math.min(1, (ms - first) / (last - first)));
}

/** Where a span is: by its time or, if all are of one, by its order. */
function atOf(/** @type {Span[]} */ spans, /** @type {number} */ index) {
  const [first, last] = endsOf(spans);
  return last > first
    ? (Date.parse(spans[index]?.time ?? "") - first) / (last - first)
    : index / Math.max(1, spans.length - 1);
}

/** @returns {[number, number]} */
function endsOf(/** @type {Span[]} */ spans) {
  return [
    Date.parse(spans[0]?.time ?? ""),
    Date.parse(spans.at(-1)?.time ?? ""),
  ];
}
