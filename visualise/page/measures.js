// @ts-check
// What is measured of a subject: how it is written, added up, and compared.
import { param } from "./address.js";
import { make } from "./elements.js";
import { figure, money, percent, short, shortMoney } from "./formats.js";

/** @typedef {Record<string, string>} Row */
/** @typedef {import("./company.js").Measure} Measure */
/** @typedef {import("./company.js").Subject} Subject */

/** The smallest share that does not round to 0 %. */
const SHARE_MIN = 0.0005;

/**
 * @param {Subject} subject
 * @param {string} name
 */
export function measureOf({ measures }, name) {
  return measures.find((one) => one.name === name);
}

/** The measure that counts records. */
export function countOf(/** @type {Subject} */ { measures }) {
  return measures.find(({ unit }) => unit === "count")?.name ?? "";
}

/** The measures of a subject, the main one first. */
export function figuresOf(/** @type {Subject} */ { measures, main }) {
  const names = measures.map(({ name }) => name);
  return [main, ...names.filter((name) => name !== main)];
}

/** The measure that the address names. */
export function figureOf(/** @type {Subject} */ subject) {
  const asked = param("figure") ?? "";
  return figuresOf(subject).includes(asked) ? asked : subject.main;
}

/**
 * How a measure is written: exactly, and in little room.
 * @param {Subject} subject
 * @param {string} name
 * @param {string} chosen The currency that is shown, if there are several.
 */
export function formatsOf(subject, name, chosen) {
  const measure = measureOf(subject, name);
  if (measure?.unit !== "money") return { format: figure, short };
  const currency = currencyOf(measure, chosen);
  return {
    format: (/** @type {number} */ value) => money(value, currency),
    short: (/** @type {number} */ value) => shortMoney(value, currency),
  };
}

/**
 * @param {Measure} measure
 * @param {string} chosen
 */
export function currencyOf({ currency = "" }, chosen) {
  return currency === "currency" ? chosen : currency;
}

/**
 * A change with its sign.
 * @param {number} change
 * @param {{ short: (value: number) => string }} formats
 */
export function signed(change, { short }) {
  return `${change < 0 ? "−" : "+"}${short(Math.abs(change))}`;
}

export function sum(/** @type {Row[]} */ rows, /** @type {string} */ column) {
  return rows.reduce((total, row) => total + Number(row[column] ?? 0), 0);
}

/**
 * The sums of some months, in their order.
 * @param {Row[]} rows
 * @param {string} column
 * @param {string[]} months
 */
export function sumsOf(rows, column, months) {
  const byMonth = Map.groupBy(rows, ({ month }) => month);
  return months.map((one) => sum(byMonth.get(one) ?? [], column));
}

/**
 * A change as a share of what was, 0 where it rounds to 0 %; undefined where
 * that was nothing or less, of which there is no share.
 * @param {number} now
 * @param {number | undefined} was
 */
export function shareOf(now, was) {
  if (was === undefined || !(was > 0)) return undefined;
  const share = now / was - 1;
  return Math.abs(share) < SHARE_MIN ? 0 : share;
}

/**
 * Whether more of a measure is good; undefined where it is neither. Of what is
 * stacked by state, less is in the worst.
 * @param {Subject} subject
 * @param {string} name
 * @param {string | undefined} state
 */
export function directionOf(subject, name, state) {
  const { states } = subject;
  if (states === undefined) return measureOf(subject, name)?.moreIsGood;
  return state === states.names[0] ? false : undefined;
}

/**
 * A change since before, in words and with its direction; empty
 * where it is no share of what was.
 * @param {number} now
 * @param {number | undefined} was
 * @param {boolean | undefined} isGood Whether more is good, if it is either.
 */
export function changeOf(now, was, isGood) {
  const share = shareOf(now, was);
  if (share === undefined) return "";
  const sign = share === 0 ? "" : share > 0 ? "▲ " : "▼ ";
  const look = sign === "" || isGood === undefined
    ? ""
    : (share > 0) === isGood
    ? "well"
    : "bad";
  return make(
    "span",
    { class: `change ${look}` },
    `${sign}${percent(Math.abs(share))}`,
  );
}
