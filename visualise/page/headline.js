// @ts-check
// One sentence above the chart: how a card's figure changed, and who of those
// listed below changed most.
import { inState, rowsBefore, rowsNow, rowsOf, worstOf } from "./card_rows.js";
import { comparedOf, summed } from "./board_sums.js";
import { BOARD_ROWS_MAX } from "./boards.js";
import { sinceWhen } from "./cards.js";
import { $, make, refill } from "./elements.js";
import { heading } from "./formats.js";
import {
  changeOf,
  directionOf,
  figureOf,
  formatsOf,
  shareOf,
  signed,
  sum,
} from "./measures.js";

/** @typedef {import("./card_rows.js").Overview} Overview */
/** @typedef {import("./card_rows.js").Row} Row */
/** @typedef {import("./card_rows.js").Shown} Shown */

/**
 * Shows it, where there is something to compare with.
 * @param {Overview} overview
 * @param {Shown} chosen
 */
export function showHeadline(overview, chosen) {
  $("headline").style.visibility = "";
  refill($("headline"), ...wordsOf(overview, chosen));
}

/** Hides it until it is shown again, in its place: nothing below it moves. */
export function hideHeadline() {
  $("headline").style.visibility = "hidden";
}

/**
 * @param {Overview} overview
 * @param {Shown} chosen
 * @returns {(Node | string)[]}
 */
function wordsOf(overview, chosen) {
  const { card, currency } = chosen;
  const { subject, title } = card;
  const column = figureOf(subject);
  const [worst] = subject.states?.names ?? [];
  const ofMonths = { by: "month", currency };
  const added = (/** @type {Row[]} */ rows) =>
    sum(worstOf(rows, subject), column);
  const value = added(rowsOf(overview.figures, card, ofMonths));
  const later = rowsNow(overview, card, ofMonths);
  const before = rowsBefore(overview, card, ofMonths);
  // The past is compared with now, or else now with the period before.
  const [was, now] = later === null
    ? [added(before ?? []), value]
    : [value, added(later)];
  if (!shareOf(now, was)) return [];
  const formats = formatsOf(subject, column, currency);
  const named = [
    title,
    ...worst === undefined ? [] : [worst],
    ...column === subject.main ? [] : [heading(column)],
  ].join(", ");
  const changed = mostChanged(overview, chosen).map(({ label, change }) =>
    `${label} ${change < 0 ? "fell" : "rose"} most (${signed(change, formats)})`
  );
  return [
    make("b", {}, `${named}: `),
    changeOf(now, was, directionOf(subject, column, worst)),
    ` (${signed(now - was, formats)}) ${
      later === null ? sinceWhen(overview, subject) : "since then"
    }.`,
    changed.length === 0 ? "" : ` Of those below, ${changed.join(", and ")}.`,
  ];
}

/**
 * Which of the first list's names rose most, and which fell most; none where
 * that is not known of all.
 * @param {Overview} overview
 * @param {Shown} chosen
 */
function mostChanged(overview, chosen) {
  const { card, currency } = chosen;
  const [board] = card.subject.boards;
  if (board === undefined) return [];
  const ofBoard = {
    by: board.name,
    within: board.within,
    column: figureOf(card.subject),
  };
  const { states } = card.subject;
  const state = states?.names[0];
  const compared = comparedOf(overview, chosen, { ofBoard, state });
  const rows = inState(
    rowsOf(overview.figures, card, { by: board.name, currency }),
    states,
    state,
  );
  const changes = summed(rows, ofBoard).slice(0, BOARD_ROWS_MAX)
    .map(({ id, label, value }) => {
      const other = compared(id);
      return {
        label,
        change: "now" in other
          ? (other.now ?? NaN) - value
          : value - (other.was ?? 0),
      };
    })
    .sort((one, other) => other.change - one.change);
  const [rose, fell] = [changes[0], changes.at(-1)];
  // Of a single name, its change is all there is. What a name is now may not be
  // known, and then any of the others may have changed less than it.
  if (changes.length < 2 || changes.some(({ change }) => isNaN(change))) {
    return [];
  }
  return [
    ...rose !== undefined && rose.change > 0 ? [rose] : [],
    ...fell !== undefined && fell.change < 0 ? [fell] : [],
  ];
}
