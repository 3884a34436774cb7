// @ts-check
// How long the stages took, as bars: of one stage over many batches, of all
// stages for one batch, and of one batch along time.
import { make } from "./elements.js";
import { svg } from "./svg.js";
import { duration } from "./times.js";

/** @typedef {Record<string, string>} Row */

const STAGES = ["extract", "transform", "load"];
/** How many of the newest batches a stage's card has. */
const BARS = 40;
/** So many times the median is long. */
const LONG = 3;
/** In per cent: what takes no time is still seen. */
const LEAST = 1;

/**
 * The durations of a stage in the newest batches, the oldest first, with a line
 * at their median; those that are far above it stand out.
 * @param {Row[]} batches
 * @param {string} column
 */
export function barsOf(batches, column) {
  const values = batches.slice(0, BARS).reverse()
    .map((row) => secondsOf(row, column));
  const half = Math.max(0, medianOf(batches, column));
  const most = Math.max(...values, half * LONG, 0.001);
  const width = 100 / BARS;
  const top = (/** @type {number} */ value) =>
    (100 - value / most * 100).toFixed(1);
  return svg(
    "svg",
    { class: "durations", "aria-hidden": "true" },
    ...values.map((value, index) =>
      svg("rect", {
        class: half > 0 && value > half * LONG ? "long" : "",
        x: `${((BARS - values.length + index) * width).toFixed(2)}%`,
        width: `${(width * 0.7).toFixed(2)}%`,
        y: `${top(value)}%`,
        height: `${(100 - Number(top(value))).toFixed(1)}%`,
      })
    ),
    svg("line", {
      class: "limit",
      x1: "0%",
      x2: "100%",
      y1: `${top(half)}%`,
      y2: `${top(half)}%`,
    }),
  );
}

/** The scale of `stackOf`: what most batches take at most, in seconds. */
export function scaleOf(/** @type {Row[]} */ batches) {
  const totals = batches.map(totalOf).sort((a, b) => a - b);
  const usual = totals[Math.floor(totals.length * 0.95)] ?? 0;
  return Math.max(usual * 1.2, 0.001);
}

/**
 * How long the stages took for a batch, one after the other; what is beyond the
 * scale is cut.
 * @param {Row} row
 * @param {number} scale
 */
export function stackOf(row, scale) {
  const parts = STAGES.map((stage) => ({
    stage,
    seconds: secondsOf(row, `${stage}_seconds`),
  }));
  let start = 0;
  const bars = parts.map(({ stage, seconds }) => {
    const x = start;
    start += seconds / scale * 100;
    return svg("rect", {
      class: stage,
      x: `${x.toFixed(2)}%`,
      width: `${Math.max(0, Math.min(100, start) - x).toFixed(2)}%`,
      height: "100%",
    });
  });
  const words = parts.map(({ stage, seconds }) =>
    `${stage} ${duration(seconds)}`
  ).join(", ");
  return make(
    "span",
    { class: "took", title: words },
    svg("svg", { class: "stack", "aria-hidden": "true" }, ...bars),
    duration(totalOf(row)),
    make("span", { class: "unseen" }, `: ${words}`),
  );
}

/**
 * What each stage did when, from a batch's snapshot to its load.
 * @param {Row} ledger
 */
export function ganttOf(ledger) {
  const ms = (/** @type {string} */ name) =>
    Date.parse((ledger[name] ?? "").replace(" ", "T").replace(/[+]00$/, "Z"));
  const [start, end] = [ms("snapshot_time"), ms("loaded_at")];
  const spans = [
    { stage: "extract", from: start, to: ms("extracted_at") },
    {
      stage: "transform",
      from: ms("transform_began_at"),
      to: ms("transformed_at"),
    },
    { stage: "load", from: ms("load_began_at"), to: end },
  ];
  const place = (/** @type {number} */ at) =>
    Math.max(0, Math.min(100, (at - start) / Math.max(1, end - start) * 100));
  return make(
    "dl",
    { class: "gantt" },
    ...spans.flatMap(({ stage, from, to }) => {
      const isKnown = Number.isFinite(from) && Number.isFinite(to);
      return [
        make("dt", {}, stage),
        make(
          "dd",
          {},
          svg(
            "svg",
            { class: "stack", "aria-hidden": "true" },
            ...(isKnown
              ? [svg("rect", {
                class: stage,
                x: `${place(from).toFixed(2)}%`,
                width: `${
                  Math.max(LEAST, place(to) - place(from)).toFixed(2)
                }%`,
                height: "100%",
              })]
              : []),
          ),
          isKnown ? duration(Math.max(0, to - from) / 1000) : "not recorded",
        ),
      ];
    }),
  );
}

/**
 * The value that half of the rows have at most, in seconds; 0 if none is known.
 * @param {Row[]} rows
 * @param {string} column
 */
function medianOf(rows, column) {
  const values = rows.map((row) => row[column])
    .filter((value) => value != null).map(Number).sort((a, b) => a - b);
  return values[Math.ceil(values.length / 2) - 1] ?? 0;
}

function totalOf(/** @type {Row} */ row) {
  return STAGES.reduce(
    (sum, stage) => sum + secondsOf(row, `${stage}_seconds`),
    0,
  );
}

/** A duration; none if the clocks of two machines make it negative. */
function secondsOf(/** @type {Row} */ row, /** @type {string} */ column) {
  return Math.max(0, Number(row[column] ?? 0));
}
