// @ts-check
// The overview's large chart: the figures of one card, by month.
import { go, param } from "./address.js";
import {
  lookOf,
  none,
  openRows,
  rowsBefore,
  rowsNow,
  rowsOf,
  tabled,
} from "./card_rows.js";
import { drawPlot } from "./charts.js";
import { $, make, refill } from "./elements.js";
import { heading } from "./formats.js";
import {
  currencyOf,
  figureOf,
  figuresOf,
  formatsOf,
  measureOf,
  sumsOf,
} from "./measures.js";
import { month } from "./times.js";

/** @typedef {import("./card_rows.js").Overview} Overview */
/** @typedef {import("./card_rows.js").Row} Row */
/** @typedef {import("./card_rows.js").Shown} Shown */
/** @typedef {import("./company.js").Subject} Subject */

/** Fifty years: a longer span means that a date is wrong. */
const MONTHS_MAX = 600;

/**
 * @param {Overview} overview
 * @param {Shown} shown
 */
export function showMonths(overview, shown) {
  const { batch, currency, card, today, since } = shown;
  const { subject } = card;
  const rows = rowsOf(overview.figures, card, { by: "month", currency });
  const name = figureOf(subject);
  offerFigures(subject, name);
  const isStacked = subject.states !== undefined;
  const months = monthsOf(rows, { today, since: isStacked ? null : since });
  const now = rowsNow(overview, card, { by: "month", currency });
  const before = now === null && overview.period === "12m" && !isStacked
    ? rowsBefore(overview, card, { by: "month", currency })
    : null;
  const measure = measureOf(subject, name);
  const unit = measure?.unit === "money"
    ? currencyOf(measure, currency)
    : heading(name);
  const title = `${card.title} by month${unit === "" ? "" : `, ${unit}`}`;
  const series = [
    ...(before === null ? [] : [{
      name: "a year before",
      look: "ghost",
      values: sumsOf(before, name, months.map(yearBefore)),
    }]),
    ...(now === null || isStacked ? [] : [{
      name: "now",
      look: "ghost",
      values: sumsOf(now, name, months),
    }]),
    ...seriesOf(rows, subject, { months, name }),
  ];
  // One month alone is no line.
  const isAlone = months.length === 1 && series.length === 1;
  drawPlot("chart", "month", {
    title,
    ...tabled(rows, card, shown),
    none: none(overview, card),
    file: `${card.name}-by-month-batch-${batch}`,
  }, {
    label: `${title}. The arrow keys move from month to month, Enter shows ` +
      "the rows, and the button Table all figures.",
    type: isStacked || isAlone ? "column" : "line",
    points: months.map(month),
    series,
    ...formatsOf(subject, name, currency),
    partial: !isStacked && months.at(-1) === today,
    act: (index) => openRows(card, { month: months[index] ?? "" }, shown),
  });
}

/** Offers the measures of a subject, one of which is chosen. */
function offerFigures(
  /** @type {Subject} */ subject,
  /** @type {string} */ name,
) {
  refill(
    $("figures"),
    ...figuresOf(subject).map((one) =>
      make("button", {
        type: "button",
        "aria-pressed": String(one === name),
        onclick: () => go({ figure: one === subject.main ? null : one }),
      }, heading(one))
    ),
  );
}

/**
 * A measure by month; of what is stacked by state, that of each state. In a
 * month without a row, there was nothing.
 * @param {Row[]} rows
 * @param {Subject} subject
 * @param {{ months: string[], name: string }} chosen
 */
function seriesOf(rows, { states }, { months, name }) {
  const byMonth = (/** @type {Row[]} */ some) => sumsOf(some, name, months);
  return states === undefined
    ? [{ name: heading(name), look: "main", values: byMonth(rows) }]
    : states.names.map((state) => ({
      name: heading(state),
      look: lookOf(state, states),
      values: byMonth(rows.filter((row) => row[states.dimension] === state)),
    }));
}

/**
 * The months from the first to the last of some rows, without gaps; or from the
 * first day of a period to today.
 * @param {Row[]} rows
 * @param {{ today: string, since: string | null }} period
 */
export function monthsOf(rows, { today, since }) {
  const found = [
    ...new Set([
      ...rows.map((row) => row.month ?? ""),
      ...(since === null ? [] : [since.slice(0, 7), today]),
    ]),
  ].sort();
  const [first] = found;
  if (first === undefined) return [];
  const number = (/** @type {string} */ text) =>
    Number(text.slice(0, 4)) * 12 + Number(text.slice(5)) - 1;
  const last = found.at(-1) ?? first;
  // A quiet month since then is one of nothing.
  const end = param("to") === null && number(today) - number(last) === 1
    ? today
    : last;
  const count = number(end) - number(first) + 1;
  if (!(count <= MONTHS_MAX)) return found;
  return Array.from({ length: count }, (_, index) => {
    const [year, of] = [
      Math.floor((number(first) + index) / 12),
      (number(first) + index) % 12 + 1,
    ];
    return `${String(year).padStart(4, "0")}-${String(of).padStart(2, "0")}`;
  });
}

function yearBefore(/** @type {string} */ month) {
  return `${String(Number(month.slice(0, 4)) - 1).padStart(4, "0")}${
    month.slice(4)
  }`;
}
