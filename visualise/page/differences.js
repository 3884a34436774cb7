// @ts-check
// A column of a record before and after a change, in words.
import { meaningOf } from "./company.js";
import { make } from "./elements.js";
import { heading, shownValue } from "./formats.js";

/**
 * A column that differs; with the names, as of then, of what it refers to.
 * @typedef {{
 *   name: string,
 *   before: unknown,
 *   after: unknown,
 *   names?: { before: string | null, after: string | null },
 * }} Column
 */
/** Columns about the row's bookkeeping, after those about the business. */
const TECHNICAL = /^(created|(last_)?(updated|modified))_(at|on|date|time)$/;

/** Whether a column is about the row, not about the business. */
export function isTechnical(/** @type {Column} */ { name }) {
  return TECHNICAL.test(name);
}

/**
 * What a column of a kind of records is called: what refers to something, by
 * that. Its meaning shows where the mouse rests.
 * @param {Column} column
 * @param {string} kind
 */
export function termOf({ name, names }, kind) {
  const meaning = meaningOf(kind, name);
  return make(
    "dt",
    meaning === undefined ? {} : { title: meaning },
    heading(names === undefined ? name : name.replace(/_id$/, "")),
  );
}

/**
 * A value before or after; a name with the id that refers to it.
 * @param {Column} column
 * @param {"before" | "after"} when
 */
export function valueOf({ name, names, ...values }, when, none = "") {
  const text = shownValue(name, values[when] ?? none);
  const named = names?.[when];
  return named == null || named === text
    ? [text]
    : [named, " ", make("span", { class: "muted id" }, text)];
}
