// @ts-check
// The overview: four figures, one large chart, and lists of who and what is
// behind it. Currencies are never added up: one is shown at a time.
import { go, param } from "./address.js";
import { showBoards } from "./boards.js";
import { showCards } from "./cards.js";
import { cardsOf, ourCompany } from "./company.js";
import { $, make, refill } from "./elements.js";
import { filters, offerNames } from "./filters.js";
import { showHeadline } from "./headline.js";
import { showMonths } from "./months.js";
import { readRows } from "./rows.js";
import { get, newestBatch, pastBatch, shownBatch } from "./state.js";

/** @typedef {import("./card_rows.js").Overview} Overview */

/**
 * What was shown last; null before the first figures.
 * @type {Overview | null}
 */
let shownLast = null;

/** What was shown last; null before the first figures. */
export function lastOverview() {
  return shownLast;
}

/** Fetches the figures; returns a function that shows them. */
export async function readOverview(/** @type {AbortSignal} */ signal) {
  const batch = shownBatch();
  const chosen = filters();
  const figuresAt = (
    /** @type {number} */ one,
    /** @type {{ currency: string, period: string }} */ shown,
  ) =>
    get(
      `api/overview/${one}?${new URLSearchParams({
        ...chosen,
        lists: chosenCard()?.subject.name ?? "",
        ...shown,
      })}`,
      signal,
    );
  const asked = {
    currency: param("currency") ?? "",
    period: param("period") ?? ourCompany().period,
  };
  const [answer, newest, showRows] = await Promise.all([
    figuresAt(batch, asked),
    pastBatch() === null ? null : figuresAt(newestBatch(), asked),
    readRows(batch, chosen, signal),
  ]);
  const { currency, period } = answer;
  // Another currency may have become the first since then, and what was last
  // sold then may be longer ago than twelve months.
  const isAlike = newest?.period === period &&
    (asked.currency !== "" || newest.currency === currency);
  const alike = newest === null || isAlike
    ? newest
    : await figuresAt(newestBatch(), {
      currency: asked.currency || currency,
      period: period === "days" ? asked.period : period,
    });
  // With nothing in the last twelve months, it answers with all: no comparison.
  const now = alike?.period === period ? alike : null;
  return {
    batch,
    snapshotTime: answer.snapshot_time,
    show: () => {
      /** @type {Overview} */
      const overview = { ...answer, now };
      showOverview(batch, overview);
      showRows();
    },
  };
}

/**
 * @param {number} batch
 * @param {Overview} answer
 */
function showOverview(batch, answer) {
  const shown = showFigures(batch, answer);
  $("overview").classList.toggle("unmeasured", shown === undefined);
  if (shown === undefined) {
    refill(
      $("cards"),
      make(
        "p",
        { class: "none" },
        "Nothing is measured: no model is a fact, or no fact has its table " +
          "yet. A fact is a model whose name begins with fact_, or whose " +
          "header says Kind: fact.",
      ),
    );
    return;
  }
  shownLast = answer;
  showHeadline(answer, shown);
  showBoards(answer, shown);
}

/** The card that the address names, or the first; undefined without any. */
function chosenCard() {
  const cards = cardsOf();
  return cards.find(({ name }) => name === param("measure")) ?? cards[0];
}

/**
 * Shows the cards and the chart; returns what they show, if there is any.
 * @param {number} batch
 * @param {Overview} answer
 */
export function showFigures(batch, answer) {
  const { currencies } = answer;
  // The answer before may be passed by in one that was chosen since.
  const currency = param("currency") ?? answer.currency;
  // What is asked for stays on offer even if it has no figures.
  const listed = [...new Set([...currencies, param("currency") ?? ""])]
    .filter((code) => code !== "").sort();
  offerCurrencies(listed, currency);
  offerNames(answer.offered);
  const card = chosenCard();
  if (card === undefined) return undefined;
  const today = (answer.snapshot_time ?? "").slice(0, 7);
  showCards(answer, { currency, chosen: card.name, today });
  showPeriod(answer);
  const since = answer.period === "12m" ? answer.from : null;
  const kept = listed.length > 1 ? { currency } : {};
  const shown = { batch, currency, kept, card, today, since };
  showMonths(answer, shown);
  return shown;
}

/**
 * @param {string[]} currencies
 * @param {string} chosen
 */
function offerCurrencies(currencies, chosen) {
  $("currency").hidden = currencies.length < 2;
  refill(
    $("currency"),
    ...currencies.map((code) =>
      make("button", {
        type: "button",
        "aria-pressed": String(code === chosen),
        "data-currency": code,
        onclick: () => go({ currency: code }),
      }, code)
    ),
  );
}

/** Shows the period, and offers the others. */
function showPeriod(/** @type {Overview} */ { period }) {
  const offer = (
    /** @type {string | null} */ value,
    /** @type {string} */ name,
    /** @type {boolean} */ isShown,
  ) =>
    make("button", {
      type: "button",
      "aria-pressed": String(isShown),
      onclick: () =>
        go({
          period: value === ourCompany().period ? null : value,
          from: null,
          to: null,
        }),
    }, name);
  refill(
    $("period"),
    offer("12m", "12 months", period === "12m"),
    offer("all", "All time", period === "all"),
  );
}
