// @ts-check
// The figures of one card of the overview, and the way to the rows behind them.
import { go, param } from "./address.js";
import { filterNames, inWords } from "./company.js";
import { filters } from "./filters.js";
import { heading } from "./formats.js";

/** @typedef {Record<string, string>} Row */
/** @typedef {import("./company.js").Card} Card */
/** @typedef {Record<string, Record<string, Row[]>>} Figures */

/**
 * Figures of a period in one currency, and of the one before; what is stacked
 * by state is of any day, and beside it stands what it was at an earlier batch.
 * Those of the past have those of now beside them. All subjects have their
 * months, one has its lists.
 * @typedef {{
 *   snapshot_time: string,
 *   period: "12m" | "days" | "all",
 *   from: string | null,
 *   currency: string,
 *   currencies: string[],
 *   figures: Figures,
 *   before: { from: string, to: string, figures: Figures } | null,
 *   earlier: { snapshot_time: string, figures: Figures } | null,
 *   now: { figures: Figures } | null,
 *   offered: { dimension: string, names: string[] } | null,
 * }} Overview
 */

/**
 * What is shown. `kept` is what a choice of a name must not change: it may have
 * more records in another currency.
 * @typedef {{
 *   batch: number,
 *   currency: string,
 *   kept: { currency?: string },
 *   card: Card,
 *   today: string,
 *   since: string | null,
 * }} Shown
 */

/**
 * The rows of a card, in a currency if it has several.
 * @param {Figures} figures
 * @param {Card} card
 * @param {{ by: string, currency: string }} chosen
 */
export function rowsOf(figures, { subject, only }, { by, currency }) {
  const isSplit = subject.splits.includes("currency");
  return (figures[subject.name]?.[by] ?? []).filter((row) =>
    (!isSplit || row.currency === currency) &&
    (only === undefined || only.names.includes(row[only.dimension] ?? ""))
  );
}

/**
 * The figures to compare with, where there are any: those of the period before
 * or, of what is stacked by state, those of an earlier batch.
 * @param {Overview} overview
 * @param {Card} card
 * @param {{ by: string, currency: string }} chosen
 * @returns {Row[] | null}
 */
export function rowsBefore({ before, earlier }, card, chosen) {
  const compared = card.subject.states === undefined ? before : earlier;
  if (compared === null) return null;
  const rows = rowsOf(compared.figures, card, chosen);
  return rows.length === 0 ? null : rows;
}

/**
 * The rows of a card as of now, beside those of the past; null if it is now.
 * @param {Overview} overview
 * @param {Card} card
 * @param {{ by: string, currency: string }} chosen
 * @returns {Row[] | null}
 */
export function rowsNow({ now }, card, chosen) {
  return now === null || now === undefined
    ? null
    : rowsOf(now.figures, card, chosen);
}

/**
 * Of what is stacked by state, the rows in one; all of anything else.
 * @param {Row[]} rows
 * @param {import("./company.js").Subject["states"]} states
 * @param {string | undefined} state
 */
export function inState(rows, states, state) {
  return states === undefined
    ? rows
    : rows.filter((row) => row[states.dimension] === state);
}

/**
 * Of what is stacked by state, the rows in the worst; all of anything else.
 * @param {Row[]} rows
 * @param {import("./company.js").Subject} subject
 */
export function worstOf(rows, { states }) {
  return inState(rows, states, states?.names[0]);
}

/** Names that filter, which a subject lacks: then it has no figures. */
export function lackedBy(
  /** @type {Figures} */ figures,
  /** @type {Card} */ { subject },
) {
  const known = subject.boards.map(({ name }) => name);
  return figures[subject.name] !== undefined
    ? []
    : filterNames().filter((name) =>
      param(name) !== null && !known.includes(name)
    );
}

/**
 * What to say where nothing is in a state.
 * @param {string} state
 * @param {Overview} overview
 * @param {Card} card
 */
export function noneIn(state, overview, card) {
  return (overview.figures[card.subject.name]?.month ?? []).length === 0
    ? none(overview, card)
    : `${card.title}: nothing ${state}.`;
}

/** What to say where nothing matches. */
export function none(
  /** @type {Overview} */ overview,
  /** @type {Card} */ card,
) {
  const { figures, period } = overview;
  const { title } = card;
  const [lacked] = lackedBy(figures, card);
  if (lacked !== undefined) return `${title}: not known by ${heading(lacked)}.`;
  const isFiltered = Object.values(filters()).some((value) => value !== "");
  if (isFiltered) return `${title}: nothing matches these filters.`;
  return period === "12m"
    ? `${title}: nothing in the last twelve months.`
    : `${title}: nothing yet.`;
}

/**
 * Rows as a table shows them, with codes in words, and what opens them.
 * @param {Row[]} rows
 * @param {Card} card
 * @param {Shown} shown
 */
export function tabled(rows, card, shown) {
  /** @type {Map<Row, Row>} */
  const coded = new Map();
  for (const row of rows) {
    const { dimension = "" } = card.only ?? {};
    const written = row[dimension] === undefined
      ? row
      : { ...row, [dimension]: inWords(row[dimension] ?? "") };
    coded.set(written, row);
  }
  return {
    rows: [...coded.keys()],
    open: (/** @type {Row} */ row) =>
      openRows(card, coded.get(row) ?? row, shown),
  };
}

/**
 * Goes to the rows behind a figure.
 * @param {Card} card
 * @param {Row} row
 * @param {Shown} shown
 */
export function openRows({ subject, only }, row, { currency, since }) {
  const { name, measures, splits, states } = subject;
  const sums = measures.map((one) => one.name);
  const asked = new URLSearchParams();
  for (const one of only?.names ?? []) {
    if (only !== undefined && row[only.dimension] === undefined) {
      asked.append(only.dimension, one);
    }
  }
  if (states === undefined && since !== null) asked.append("from", since);
  const all = splits.includes("currency") ? { currency, ...row } : row;
  for (const [column, value] of Object.entries(all)) {
    if (!sums.includes(column)) asked.append(column, value);
  }
  go({ rows: `${name}?${asked}` });
}

/**
 * The class of a state, by its place among them.
 * @param {string} state
 * @param {import("./company.js").Names} states
 */
export function lookOf(state, { names }) {
  const place = names.indexOf(state);
  if (place === 0) return "state-first";
  return place === names.length - 1 ? "state-last" : "state-between";
}
