// @ts-check
// The overview's large figures.
import { go, param } from "./address.js";
import {
  lackedBy,
  lookOf,
  rowsBefore,
  rowsNow,
  rowsOf,
  worstOf,
} from "./card_rows.js";
import { cardsOf, filterNames } from "./company.js";
import { $, make, refill } from "./elements.js";
import { figure, heading } from "./formats.js";
import {
  changeOf,
  countOf,
  directionOf,
  formatsOf,
  sum,
  sumsOf,
} from "./measures.js";
import { monthsOf } from "./months.js";
import { sparkColumns, sparkline } from "./svg.js";
import { date, shown } from "./times.js";

/** @typedef {import("./card_rows.js").Overview} Overview */
/** @typedef {import("./card_rows.js").Row} Row */
/** @typedef {import("./company.js").Card} Card */
/** @typedef {import("./company.js").Subject} Subject */

const SPARK_MONTHS = 13;

/**
 * @param {Overview} overview
 * @param {{ currency: string, chosen: string, today: string }} shown
 */
export function showCards(overview, { currency, chosen, today }) {
  refill(
    $("cards"),
    ...cardsOf().map((card) =>
      make(
        "button",
        {
          type: "button",
          class: "card",
          "data-card": card.name,
          "data-trail": String(card.subject.has_trail),
          "aria-pressed": String(card.name === chosen),
          onclick: () => go({ measure: card.name, figure: null }),
        },
        ...partsOf(overview, card, { currency, today }),
      )
    ),
  );
}

/**
 * What stands on a card: its name, figure, details and trend. Of what is
 * stacked by state, the figure is that of the worst.
 * @param {Overview} overview
 * @param {Card} card
 * @param {{ currency: string, today: string }} shown
 */
function partsOf(overview, card, { currency, today }) {
  const { subject, title } = card;
  const { main, states } = subject;
  const formats = formatsOf(subject, main, currency);
  const rows = rowsOf(overview.figures, card, { by: "month", currency });
  const [worst] = states?.names ?? [];
  const counted = worstOf(rows, subject);
  const value = sum(counted, main);
  const [lacked] = lackedBy(overview.figures, card);
  const since = overview.period === "12m" ? overview.from : null;
  const months = monthsOf(rows, { today, since }).slice(-SPARK_MONTHS);
  const byMonth = sumsOf(counted, main, months);
  const detail = (/** @type {(Element | string)[]} */ parts) =>
    make("span", { class: "card-detail" }, ...parts);
  return [
    make(
      "span",
      { class: "card-name" },
      worst === undefined ? title : `${title}, ${worst}`,
    ),
    make(
      "span",
      {
        class: `card-value${worst !== undefined && value > 0 ? " bad" : ""}`,
        title: formats.format(value),
        "data-value": value.toFixed(2),
      },
      lacked === undefined ? formats.short(value) : "–",
    ),
    detail(
      lacked === undefined
        ? [...countedIn(counted, subject), ...othersIn(rows, card, formats)]
        : [`not known by ${heading(lacked)}`],
    ),
    detail(comparedWith(overview, card, { currency, value })),
    ...targetOf(overview, card, { currency, value }),
    ...ageingOf(overview, card, { currency, formats }),
    // What is overdue by when it was due is no trend of what is overdue.
    worst === undefined || states === undefined
      ? sparkline(byMonth, { isPartial: months.at(-1) === today })
      : sparkColumns(byMonth, lookOf(worst, states)),
  ];
}

/**
 * The sums in the other states, except the last: what is well needs no word.
 * @param {Row[]} rows
 * @param {Card} card
 * @param {{ short: (value: number) => string }} formats
 */
function othersIn(rows, { subject: { main, states } }, { short }) {
  if (states === undefined) return [];
  return states.names.slice(1, -1).map((name) => {
    const inState = rows.filter((row) => row[states.dimension] === name);
    return `; ${short(sum(inState, main))} ${name}`;
  });
}

/**
 * How long the worst is late, as shares of a bar, the youngest first.
 * @param {Overview} overview
 * @param {Card} card
 * @param {{ currency: string, formats: { short: (value: number) => string } }} of
 */
function ageingOf({ figures }, card, { currency, formats }) {
  const { ageing, states, main } = card.subject;
  if (ageing === undefined || states === undefined) return [];
  const rows = rowsOf(figures, card, { by: "ageing", currency })
    .filter((row) => row[states.dimension] === states.names[0]);
  const values = ageing.map((name) =>
    sum(rows.filter((row) => row.ageing === name), main)
  );
  const all = values.reduce((total, value) => total + value, 0);
  if (!(all > 0)) return [];
  return [make(
    "span",
    { class: "ages" },
    ...ageing.flatMap((name, index) => {
      if (!((values[index] ?? 0) > 0)) return [];
      const part = make("span", {
        class: `age-${index}`,
        title: `${formats.short(values[index] ?? 0)} ${name}`,
      });
      part.style.flexGrow = String((values[index] ?? 0) / all);
      return [part];
    }),
    make(
      "span",
      { class: "unseen" },
      ageing.map((name, index) =>
        `${formats.short(values[index] ?? 0)} ${name}`
      ).join("; "),
    ),
  )];
}

/**
 * What it is now, if the past is shown, or else the change since before; and
 * when that was.
 * @param {Overview} overview
 * @param {Card} card
 * @param {{ currency: string, value: number }} now
 */
function comparedWith(overview, card, { currency, value }) {
  const { subject } = card;
  const formats = formatsOf(subject, subject.main, currency);
  const isGood = directionOf(subject, subject.main, subject.states?.names[0]);
  const current = rowsNow(overview, card, { by: "month", currency });
  if (current !== null) {
    const later = sum(worstOf(current, subject), subject.main);
    return [
      `now ${formats.short(later)} `,
      changeOf(later, value, isGood),
    ];
  }
  const rows = rowsBefore(overview, card, { by: "month", currency });
  if (rows === null) return [];
  const was = sum(worstOf(rows, subject), subject.main);
  const change = changeOf(value, was, isGood);
  return change === "" ? [] : [change, ` ${sinceWhen(overview, subject)}`];
}

/**
 * What a subject's figures are compared with: what is stacked by state, with an
 * earlier moment.
 * @param {Overview} overview
 * @param {Subject} subject
 */
export function sinceWhen({ before, earlier, period }, { states }) {
  const days = before === null
    ? ""
    : `on ${shown(before.from)} to ${shown(before.to)}`;
  if (states === undefined) {
    return period === "12m" ? "on the year before" : days;
  }
  const then = date(earlier?.snapshot_time);
  return period === "days" ? `${days}, as of ${then}` : `since ${then}`;
}

/**
 * The target of a card, and whether its figure is there. It is of all records,
 * and of twelve months or any day.
 * @param {Overview} overview
 * @param {Card} card
 * @param {{ currency: string, value: number }} now
 */
function targetOf({ period }, { subject, target }, { currency, value }) {
  const { amount, bound } = target ?? {};
  const asked = typeof amount === "object" ? amount[currency] : amount;
  const isOfAll = filterNames().every((name) => param(name) === null);
  const isOfPeriod = subject.states === undefined
    ? period === "12m"
    : period !== "days";
  if (asked === undefined || !isOfAll || !isOfPeriod) return [];
  const { short } = formatsOf(subject, subject.main, currency);
  const isLeast = bound === "atLeast";
  const beyond = isLeast ? asked - value : value - asked;
  return [make(
    "span",
    {
      class: `card-detail target ${beyond > 0 ? "bad" : "well"}`,
      "data-target": String(beyond <= 0),
    },
    beyond > 0
      ? `${short(beyond)} ${isLeast ? "under" : "over"} the target of ${
        short(asked)
      }`
      : `✓ On target: at ${isLeast ? "least" : "most"} ${short(asked)}`,
  )];
}

/**
 * How many records some rows count, in words.
 * @param {Row[]} rows
 * @param {Subject} subject
 */
function countedIn(rows, subject) {
  const name = countOf(subject);
  if (name === subject.main) return [];
  const count = sum(rows, name);
  return [
    make("b", { "data-count": String(count) }, figure(count)),
    ` ${count === 1 ? heading(name).replace(/s$/, "") : heading(name)}`,
  ];
}
