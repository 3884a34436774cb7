// @ts-check
// The overview's lists: who and what is behind the figures of one card.
import { go, param } from "./address.js";
import {
  comparedOf,
  idOf,
  inOrder,
  summed,
  TABLE_NAMES_MAX,
} from "./board_sums.js";
import {
  inState,
  lookOf,
  none,
  noneIn,
  openRows,
  rowsOf,
  tabled,
} from "./card_rows.js";
import { drawBars, keepCards } from "./charts.js";
import { $, make } from "./elements.js";
import { heading, percent } from "./formats.js";
import { changeOf, directionOf, figureOf, formatsOf, sum } from "./measures.js";

/** @typedef {import("./card_rows.js").Overview} Overview */
/** @typedef {import("./board_sums.js").Sum} Sum */
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

/** How many names a list has. */
export const BOARD_ROWS_MAX = 8;

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
  const isGood = directionOf(subject, column, state);
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
      ...(now === undefined ? [changeOf(value, was, isGood)] : [
        `${detail === "" ? "" : "· "}now ${formats.short(now)} `,
        changeOf(now, value, isGood),
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
