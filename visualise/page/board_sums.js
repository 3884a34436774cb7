// @ts-check
// What the names of an overview's list add up to, and what each is compared
// with.
import { inState, rowsBefore, rowsNow } from "./card_rows.js";

/** @typedef {import("./card_rows.js").Overview} Overview */
/** @typedef {import("./card_rows.js").Row} Row */
/** @typedef {import("./card_rows.js").Shown} Shown */

/**
 * What the rows of one name add up to.
 * @typedef {{
 *   id: string,
 *   label: string,
 *   detail: string,
 *   value: number,
 *   row: Row,
 * }} Sum
 */

/** How many names have their rows in a list's table. */
export const TABLE_NAMES_MAX = 12;

/**
 * What the names of a list are compared with: the past with now alone, or else
 * now with before.
 * @param {Overview} overview
 * @param {Shown} shown
 * @param {{
 *   ofBoard: { by: string, within: string | undefined, column: string },
 *   state: string | undefined,
 * }} of
 * @returns {(id: string) => { was?: number | undefined, now?: number | undefined }}
 */
export function comparedOf(overview, { card, currency }, { ofBoard, state }) {
  const { states } = card.subject;
  const chosen = { by: ofBoard.by, currency };
  const valueIn = (/** @type {Sum[]} */ sums, /** @type {string} */ id) =>
    sums.find((one) => one.id === id)?.value;
  const now = rowsNow(overview, card, chosen);
  if (now === null) {
    const rows = rowsBefore(overview, card, chosen) ?? [];
    const before = summed(inState(rows, states, state), ofBoard);
    return (id) => ({ was: valueIn(before, id) });
  }
  const current = summed(inState(now, states, state), ofBoard);
  // The server reads so many names: of more, some are not known.
  const isAll = current.length < TABLE_NAMES_MAX;
  return (id) => ({ now: valueIn(current, id) ?? (isAll ? 0 : undefined) });
}

/**
 * Adds up the rows of the same name, the largest first. Two may have the same
 * name within different others.
 * @param {Row[]} rows
 * @param {{ by: string, within: string | undefined, column: string }} options
 */
export function summed(rows, { by, within, column }) {
  /** @type {Map<string, Sum>} */
  const sums = new Map();
  for (const row of rows) {
    const detail = within === undefined ? "" : row[within] ?? "";
    const id = idOf(row, { by, within });
    const known = sums.get(id) ??
      { id, label: row[by] ?? "", detail, value: 0, row };
    known.value += Number(row[column] ?? 0);
    sums.set(id, known);
  }
  return [...sums.values()].sort((one, other) => other.value - one.value);
}

/**
 * Those of some names in their order, or all as they are.
 * @param {Sum[]} sums
 * @param {string[] | undefined} names
 */
export function inOrder(sums, names) {
  return names === undefined
    ? sums
    : names.flatMap((name) => sums.filter(({ label }) => label === name));
}

/**
 * What tells the name of a row from others.
 * @param {Row} row
 * @param {{ by: string, within: string | undefined }} options
 */
export function idOf(row, { by, within }) {
  return JSON.stringify([
    row[by],
    within === undefined ? "" : row[within] ?? "",
  ]);
}
