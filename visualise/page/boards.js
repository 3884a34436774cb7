// @ts-check
// The overview's lists: who and what is behind the figures of one card.
import { go, param } from "./address.js";
import {
  lookOf,
  none,
  noneIn,
  openRows,
  rowsBefore,
  rowsNow,
  rowsOf,
  tabled,
} from "./card_rows.js";
import { drawBars, keepCards } from "./charts.js";
import { $, make } from "./elements.js";
import { heading, percent } from "./formats.js";
import { changeOf, figureOf, formatsOf, measureOf, sum } from "./measures.js";

/** @typedef {import("./card_rows.js").Overview} Overview */
/** @typedef {import("./card_rows.js").Row} Row */
/** @typedef {import("./card_rows.js").Shown} Shown */
/** @typedef {import("./company.js").Subject} Subject */
/**
 * A list, perhaps of one state, and perhaps in the order of `names`.
 * @typedef {Subject["boards"][number] & {
 *   id: string,
 *   state?: string,
 *   names?: string[],
 * }} Board
 */
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

/** How many names a list has. */
export const BOARD_ROWS_MAX = 8;
/** How many names have their rows in a list's table. */
const TABLE_NAMES_MAX = 12;

/**
 * @param {Overview} overview
 * @param {Shown} shown
 */
export function showBoards(overview, shown) {
  const { card, currency } = shown;
  const months = rowsOf(overview.figures, card, { by: "month", currency });
  // The chart says once why there is nothing.
  $("boards").hidden = months.length === 0;
  const boards = boardsOf(card.subject);
  for (const board of boards) showBoard(overview, board, shown);
  keepCards("boards", boards.map(({ id }) => id));
}

/**
 * A list for each dimension or, of what is stacked by state, for each state,
 * after how long the worst is late.
 * @param {Subject} subject
 * @returns {Board[]}
 */
function boardsOf({ boards: [first, ...others], states, ageing }) {
  if (first === undefined) return [];
  if (states === undefined) {
    return [first, ...others].map((one) => ({ ...one, id: one.name }));
  }
  const [worst = ""] = states.names;
  return [
    ...(ageing === undefined ? [] : [
      { id: "ageing", name: "ageing", state: worst, names: ageing },
    ]),
    ...states.names.map((state) => ({ ...first, id: state, state })),
  ];
}

/**
 * @param {Overview} overview
 * @param {Board} board
 * @param {Shown} shown
 */
function showBoard(overview, { id, name: by, within, state, names }, shown) {
  const { batch, currency, card } = shown;
  const { states } = card.subject;
  const column = figureOf(card.subject);
  const ofBoard = { by, within, column };
  const read = (/** @type {string} */ grouped) =>
    inState(
      rowsOf(overview.figures, card, { by: grouped, currency }),
      states,
      state,
    );
  const rows = read(by);
  // The list may lack names, the months lack nothing.
  const whole = sum(read("month"), column);
  const sums = inOrder(summed(rows, ofBoard), names).slice(0, TABLE_NAMES_MAX);
  const title = state === undefined
    ? `by ${heading(by)}`
    : names === undefined
    ? state
    : `${state}, by age`;
  const compared = comparedOf(overview, shown, { ofBoard, state });
  const isShown = new Set(sums.map((one) => one.id));
  const most = Math.max(...sums.map(({ value }) => value), 0);
  drawBars(
    "boards",
    id,
    {
      title: state === undefined
        ? `${card.title} ${title}`
        : `${card.title}: ${title}`,
      heading: title,
      ...tabled(
        rows.filter((row) => isShown.has(idOf(row, ofBoard)))
          .toSorted((one, other) =>
            Number(other[column] ?? 0) - Number(one[column] ?? 0)
          ),
        card,
        shown,
      ),
      none: state === undefined || sums.length > 0
        ? none(overview, card)
        : noneIn(state, overview, card),
      file: `${card.name}-by-${id}-batch-${batch}`,
    },
    sums.slice(0, BOARD_ROWS_MAX).map((one) => ({
      ...barOf(one, {
        ...ofBoard,
        ...compared(one.id),
        whole,
        state,
      }, shown),
      share: most === 0 ? 0 : one.value / most,
    })),
  );
}

/**
 * What the names of a list are compared with: the past with now alone, or else
 * now with the period before.
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
    const before = summed(rowsBefore(overview, card, chosen) ?? [], ofBoard);
    return (id) => ({ was: valueIn(before, id) });
  }
  const current = summed(inState(now, states, state), ofBoard);
  // The server reads so many names: of more, some are not known.
  const isAll = current.length < TABLE_NAMES_MAX;
  return (id) => ({ now: valueIn(current, id) ?? (isAll ? 0 : undefined) });
}

/**
 * An entry of a list. Choosing it shows that name alone or, where it already
 * is, its rows.
 * @param {Sum} one
 * @param {{
 *   by: string,
 *   within: string | undefined,
 *   column: string,
 *   was?: number | undefined,
 *   now?: number | undefined,
 *   whole: number,
 *   state: string | undefined,
 * }} of
 * @param {Shown} shown
 */
function barOf({ label, value, detail, row }, of, shown) {
  const { by, within, column, was, now, whole, state } = of;
  const { currency, card, kept } = shown;
  const { subject } = card;
  const { states } = subject;
  const formats = formatsOf(subject, column, currency);
  // Asked when it is chosen, too: figures come after the address.
  const isAlone = () => param(by) !== null;
  const ofState = states === undefined || state === undefined
    ? undefined
    : { [by]: label, [states.dimension]: state };
  return {
    name: label,
    value: formats.short(value),
    exact: formats.format(value),
    look: states === undefined || state === undefined
      ? "main"
      : lookOf(state, states),
    detail: make(
      "span",
      { class: "detail" },
      detail,
      detail === "" ? "" : " ",
      ...(now === undefined
        ? [changeOf(value, was, measureOf(subject, column))]
        : [
          `${detail === "" ? "" : "· "}now ${formats.short(now)} `,
          changeOf(now, value, measureOf(subject, column)),
        ]),
    ),
    part: partOf(value, whole, formats),
    row,
    says: isAlone() ? `Rows of ${label}` : `Show ${label} alone`,
    act: () =>
      isAlone() ? openRows(card, ofState ?? row, shown) : go({
        [by]: label,
        ...(param("currency") === null ? kept : {}),
        // Two may have the same name.
        ...(within === undefined || detail === "" ? {} : { [within]: detail }),
      }),
  };
}

/**
 * A value as a share of the whole; empty where it is none.
 * @param {number} value
 * @param {number} whole
 * @param {{ format: (value: number) => string }} formats
 */
function partOf(value, whole, { format }) {
  if (!(whole > 0) || value < 0 || value > whole) return "";
  return make(
    "span",
    { class: "part" },
    percent(value / whole),
    make("span", { class: "unseen" }, ` of ${format(whole)}`),
  );
}

/**
 * Of what is stacked by state, the rows in one; all of anything else.
 * @param {Row[]} rows
 * @param {Subject["states"]} states
 * @param {string | undefined} state
 */
function inState(rows, states, state) {
  return states === undefined
    ? rows
    : rows.filter((row) => row[states.dimension] === state);
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
function inOrder(sums, names) {
  return names === undefined
    ? sums
    : names.flatMap((name) => sums.filter(({ label }) => label === name));
}

/**
 * What tells the name of a row from others.
 * @param {Row} row
 * @param {{ by: string, within: string | undefined }} options
 */
function idOf(row, { by, within }) {
  return JSON.stringify([
    row[by],
    within === undefined ? "" : row[within] ?? "",
  ]);
}
