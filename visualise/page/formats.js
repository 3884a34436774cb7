// @ts-check
// How figures are shown, by the reader's locale, and the values of columns.
import { duration, shown } from "./times.js";

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
const amounts = new Intl.NumberFormat(undefined, {
  minimumFractionDigits: 2,
  maximumFractionDigits: 3,
});
const compact = new Intl.NumberFormat(undefined, {
  notation: "compact",
  maximumFractionDigits: 1,
});
const percents = new Intl.NumberFormat(undefined, {
  style: "percent",
  maximumFractionDigits: 1,
});
/**
 * Formats of money by what they are of: to make one takes long.
 * @type {Map<string, Intl.NumberFormat>}
 */
const inCurrencies = new Map();
/** Columns of figures; numbers in other columns are names, such as keys. */
const FIGURES = new Set([
  "added",
  "bytes",
  "closed",
  "deletes",
  "differences",
  "extracted_bytes",
  "extracted_rows",
  "findings",
  "findings_kept",
  "rows",
]);
/** Columns of money. */
const MONEY = new Set();
/** Columns of figures, and of money, by their names' last word. */
const FIGURED = /(^|_)(amount|price|quantity)$/;
const PAID = /(^|_)(amount|price)$/;
/**
 * What the company calls columns, by their names.
 * @type {Map<string, string>}
 */
let called = new Map();
/** Columns of seconds. */
const SECONDS = /(^|_)seconds(_|$)/;

/**
 * Learns which columns hold figures, and which of them money.
 * @param {{ name: string, unit: string }[]} measures
 */
export function knowFigures(measures) {
  for (const { name, unit } of measures) {
    FIGURES.add(name);
    if (unit === "money") MONEY.add(name);
  }
}

/** A number, rounded for a quick look. */
export function rounded(/** @type {number | string} */ value) {
  const number = Number(value);
  return (Math.abs(number) < 10 ? tenths : whole).format(number);
}

/** A number in little room. */
export function short(/** @type {number} */ value) {
  return compact.format(value);
}

/** An exact figure; given as text, since a number may not hold a total. */
export function figure(/** @type {number | string} */ value) {
  return exact.format(/** @type {any} */ (value));
}

/** A sum of money: whole units for a quick look. */
export function money(
  /** @type {number} */ value,
  /** @type {string} */ currency,
) {
  return inCurrency(value, currency, { maximumFractionDigits: 0 });
}

/** A sum of money in little room. */
export function shortMoney(
  /** @type {number} */ value,
  /** @type {string} */ currency,
) {
  if (Math.abs(value) >= 1000) {
    return inCurrency(value, currency, {
      notation: "compact",
      maximumFractionDigits: 1,
    });
  }
  const digits = Number.isInteger(value) || Math.abs(value) >= 10 ? 0 : 2;
  return inCurrency(value, currency, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function inCurrency(
  /** @type {number} */ value,
  /** @type {string} */ currency,
  /** @type {Intl.NumberFormatOptions} */ options,
) {
  // Data may hold a code that is none.
  const style = /^[A-Z]{3}$/.test(currency)
    ? { style: /** @type {const} */ ("currency"), currency }
    : {};
  const key = JSON.stringify([options, style]);
  const known = inCurrencies.get(key) ??
    new Intl.NumberFormat(undefined, { ...options, ...style });
  inCurrencies.set(key, known);
  return known.format(value);
}

/** A share as a percentage. */
export function percent(/** @type {number} */ share) {
  return percents.format(share);
}

export function isFigure(/** @type {string} */ column) {
  return FIGURES.has(column) || FIGURED.test(column) || SECONDS.test(column);
}

function isMoney(/** @type {string} */ column) {
  return MONEY.has(column) || PAID.test(column);
}

export function isNumber(/** @type {unknown} */ value) {
  return /^-?\d+(\.\d+)?$/.test(String(value ?? ""));
}

/** A value of a table, by what its column holds. */
export function cell(/** @type {string} */ column, /** @type {any} */ value) {
  if (!isNumber(value)) return shown(value);
  if (SECONDS.test(column)) return duration(Number(value));
  if (isMoney(column)) return amounts.format(/** @type {any} */ (value));
  return isFigure(column) ? figure(value) : String(value);
}

/** Learns what the company calls columns. */
export function useLabels(/** @type {Record<string, string>} */ labels) {
  called = new Map(Object.entries(labels));
}

/** What a column is called. */
export function heading(/** @type {string} */ column) {
  return called.get(column) ??
    column.replace(/^seconds_|_seconds$/, "").replaceAll("_", " ");
}

/** A value of a fact's column, from the database's JSON. */
export function shownValue(
  /** @type {string} */ column,
  /** @type {unknown} */ value,
) {
  if (typeof value !== "number" || column.endsWith("_id")) return shown(value);
  return isMoney(column) ? amounts.format(value) : figure(value);
}
