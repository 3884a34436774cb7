// @ts-check
// The overview: four figures, one large chart, and lists of who and what is
// behind it. Currencies are never added up: one is shown at a time.
import { go, param } from "./address.js";
import { showBoards } from "./boards.js";
import { showCards } from "./cards.js";
import { cardsOf, ourCompany } from "./company.js";
import { $, make, refill } from "./elements.js";
import { filters, offerNames } from "./filters.js";
import { countOf } from "./measures.js";
import { showMonths } from "./months.js";
import { readRows } from "./rows.js";
import { get, newestBatch, pastBatch, shownBatch } from "./state.js";

/** @typedef {import("./card_rows.js").Figures} Figures */
/** @typedef {import("./card_rows.js").Overview} Overview */

/**
 * What was shown last, and in which currency; null before the first figures.
 * @type {{ overview: Overview, currency: string } | null}
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
  const asked = new URLSearchParams({
    ...chosen,
    period: param("period") ?? ourCompany().period,
  });
  const figuresAt = (/** @type {number} */ one) =>
    get(`api/overview/${one}?${asked}`, signal);
  const [answer, now, showRows] = await Promise.all([
    figuresAt(batch),
    pastBatch() === null ? null : figuresAt(newestBatch()),
    readRows(batch, chosen, signal),
  ]);
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
  if (shown === undefined) return;
  shownLast = { overview: answer, currency: shown.currency };
  showBoards(answer, shown);
}

/**
 * Shows the cards and the chart; returns what they show, if there is any.
 * @param {number} batch
 * @param {Overview} answer
 * @param {string} [staying] The currency to stay at, unless another is chosen.
 */
export function showFigures(batch, answer, staying) {
  const currencies = currenciesOf(answer.figures);
  const asked = param("currency");
  const { currency: usual = "" } = ourCompany();
  const [most = ""] = currencies.includes(usual) ? [usual] : currencies;
  const currency = asked ?? staying ?? most;
  // What is asked for stays on offer even if it has no figures.
  const listed = asked === null || currencies.includes(asked)
    ? currencies
    : [...currencies, asked];
  offerCurrencies(listed.sort(), currency);
  offerNames(answer.offered);
  const cards = cardsOf();
  const card = cards.find(({ name }) => name === param("measure")) ?? cards[0];
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

/** The currencies of all figures, those with most records of the first first. */
function currenciesOf(/** @type {Figures} */ figures) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  const { subjects } = ourCompany();
  for (const [place, subject] of subjects.entries()) {
    const count = countOf(subject);
    for (const row of figures[subject.name]?.month ?? []) {
      if (row.currency === undefined) continue;
      const weight = Number(row[count]) * 1000 ** (subjects.length - place);
      counts.set(row.currency, (counts.get(row.currency) ?? 0) + weight);
    }
  }
  return [...counts].sort(([one, a], [other, b]) =>
    b - a || one.localeCompare(other)
  ).map(([currency]) => currency);
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
