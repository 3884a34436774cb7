// @ts-check
// The overview: four figures, one large chart, and lists of who and what is
// behind it. Currencies are never added up: one is shown at a time.
import { go, param } from "./address.js";
import { drawBars, drawPlot, keepCards } from "./charts.js";
import { $, field, make, refill, write } from "./elements.js";
import {
  figure,
  money,
  month,
  percent,
  rounded,
  short,
  shortMoney,
  shown,
} from "./formats.js";
import { KINDS, MEASURES, STATES } from "./measures.js";
import { sparkline } from "./plot.js";
import { readRows } from "./rows.js";
import { get, shownBatch } from "./state.js";

/** @typedef {Record<string, string>} Row */
/** @typedef {import("./measures.js").Measure} Measure */
/** @typedef {Record<string, Record<string, Row[]>>} Figures */

/**
 * Figures of orders in a period, and of the one before; of payments on any day.
 * @typedef {Figures & {
 *   snapshot_time: string,
 *   period: "12m" | "days" | "all",
 *   from: string | null,
 *   before: Figures & { from: string, to: string } | null,
 *   counterparties: string[],
 * }} Overview
 */

/** Fifty years: a longer span means that a date is wrong. */
const MONTHS_MAX = 600;
const SPARK_MONTHS = 13;
const BOARD_ROWS_MAX = 8;

/** The names that filter everything that has them. */
const NAMES = ["counterparty", "country", "department", "staff", "design"];

/** The filters that the server applies to figures and rows. */
export function filters() {
  return Object.fromEntries(
    ["from", "to", ...NAMES].map((name) => [name, param(name) ?? ""]),
  );
}

/** Fetches the figures; returns a function that shows them. */
export async function readOverview(/** @type {AbortSignal} */ signal) {
  const batch = shownBatch();
  const chosen = filters();
  const [answer, showRows] = await Promise.all([
    get(
      `api/overview/${batch}?${new URLSearchParams({
        ...chosen,
        period: param("period") ?? "",
      })}`,
      signal,
    ),
    readRows(batch, chosen, signal),
  ]);
  return {
    batch,
    snapshotTime: answer.snapshot_time,
    show: () => {
      showOverview(batch, answer);
      showRows();
    },
  };
}

/**
 * @param {number} batch
 * @param {Overview} answer
 */
function showOverview(batch, answer) {
  const currencies = currenciesOf(answer);
  const asked = param("currency");
  const currency = asked ?? currencies[0] ?? "";
  // What is asked for stays on offer even if it has no figures.
  const offered = asked === null || currencies.includes(asked)
    ? currencies
    : [...currencies, asked];
  offerCurrencies(offered.sort(), currency);
  refill(
    $("counterparties"),
    ...answer.counterparties.map((name) => make("option", { value: name })),
  );
  const [first = ""] = Object.keys(MEASURES);
  const chosen = param("measure") ?? "";
  const name = MEASURES[chosen] === undefined ? first : chosen;
  const measure = /** @type {Measure} */ (MEASURES[name]);
  const today = (answer.snapshot_time ?? "").slice(0, 7);
  showCards(answer, { currency, chosen: name, today });
  showPeriod(answer);
  const since = answer.period === "12m" ? answer.from : null;
  const shown = { batch, currency, name, measure, today, since };
  showMonths(answer, shown);
  showBoards(answer, shown);
}

/** The currencies of all figures, those with most orders first. */
function currenciesOf(/** @type {Figures} */ { sales, purchases, payments }) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (
    const [rows, weight] of /** @type {[Row[], number][]} */ ([
      [sales?.month ?? [], 1_000_000],
      [purchases?.month ?? [], 1_000],
      [payments?.month ?? [], 1],
    ])
  ) {
    for (const { currency = "", orders, payments } of rows) {
      const count = Number(orders ?? payments) * weight;
      counts.set(currency, (counts.get(currency) ?? 0) + count);
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

/**
 * The rows of a measure in a currency.
 * @param {Figures} figures
 * @param {Measure} measure
 * @param {{ by: string, currency: string }} chosen
 */
function rowsOf(figures, { fact, kinds }, { by, currency }) {
  return (figures[fact]?.[by] ?? []).filter((row) =>
    row.currency === currency &&
    (kinds === undefined || kinds.includes(row.kind ?? ""))
  );
}

function sum(/** @type {Row[]} */ rows, /** @type {string} */ column) {
  return rows.reduce((total, row) => total + Number(row[column] ?? 0), 0);
}

/** Shows the period of the orders, and offers all of them. */
function showPeriod(/** @type {Overview} */ { period }) {
  const offer = (
    /** @type {string | null} */ value,
    /** @type {string} */ name,
    /** @type {boolean} */ isShown,
  ) =>
    make("button", {
      type: "button",
      "aria-pressed": String(isShown),
      onclick: () => go({ period: value, from: null, to: null }),
    }, name);
  refill(
    $("period"),
    offer(null, "12 months", period === "12m"),
    offer("all", "All time", period === "all"),
  );
}

/**
 * The figures of the period before, where there are any to compare with.
 * @param {Overview} overview
 * @param {Measure} measure
 * @param {{ by: string, currency: string }} chosen
 * @returns {Row[] | null}
 */
function rowsBefore({ before }, measure, chosen) {
  if (before === null || measure.kinds !== undefined) return null;
  const rows = rowsOf(before, measure, chosen);
  return rows.length === 0 ? null : rows;
}

/**
 * A change since the period before, in words and with its direction.
 * @param {number} now
 * @param {number | undefined} was
 * @param {boolean} isGood Whether more is better.
 */
function changeOf(now, was, isGood) {
  if (was === undefined || was === 0) return "";
  const share = now / was - 1;
  const sign = Math.abs(share) < 0.0005 ? "" : share > 0 ? "▲ " : "▼ ";
  const look = sign === "" || !isGood ? "" : share > 0 ? "well" : "bad";
  return make(
    "span",
    { class: `change ${look}` },
    `${sign}${percent(Math.abs(share))}`,
  );
}

/**
 * @param {Overview} figures
 * @param {{ currency: string, chosen: string, today: string }} shown
 */
function showCards(figures, { currency, chosen, today }) {
  const against = figures.before === null
    ? ""
    : figures.period === "12m"
    ? " on the year before"
    : ` on ${shown(figures.before.from)} to ${shown(figures.before.to)}`;
  const cards = Object.entries(MEASURES).map(([name, measure]) => {
    const rows = rowsOf(figures, measure, { by: "month", currency });
    const isPayment = measure.kinds !== undefined;
    const overdue = rows.filter(({ state }) => state === "overdue");
    const unpaid = rows.filter(({ state }) => state !== "paid");
    const value = sum(isPayment ? overdue : rows, "value");
    const count = isPayment ? sum(overdue, "payments") : sum(rows, "orders");
    const before = rowsBefore(figures, measure, { by: "month", currency });
    const since = figures.period === "12m" ? figures.from : null;
    const months = monthsOf(rows, { today, since }).slice(-SPARK_MONTHS);
    const counted = isPayment ? overdue : rows;
    const [lacked] = lackedBy(figures, measure);
    return make(
      "button",
      {
        type: "button",
        class: "card",
        "data-card": name,
        "aria-pressed": String(name === chosen),
        onclick: () => go({ measure: name, figure: null }),
      },
      make(
        "span",
        { class: "card-name" },
        isPayment ? `${measure.title}, overdue` : measure.title,
      ),
      make(
        "span",
        {
          class: `card-value${isPayment && value > 0 ? " bad" : ""}`,
          title: money(value, currency),
          "data-value": value.toFixed(2),
        },
        lacked === undefined ? shortMoney(value, currency) : "–",
      ),
      lacked !== undefined
        ? make("span", {
          class: "card-detail",
        }, `not known by ${lacked}`)
        : make(
          "span",
          { class: "card-detail" },
          make("b", { "data-count": String(count) }, figure(count)),
          isPayment
            ? ` of ${figure(sum(unpaid, "payments"))} unpaid, ${
              shortMoney(sum(unpaid, "value"), currency)
            }`
            : count === 1
            ? " order"
            : " orders",
        ),
      make(
        "span",
        { class: "card-detail" },
        ...(before === null ? [] : [
          changeOf(value, sum(before, "value"), measure.moreIsGood === true),
          against,
        ]),
      ),
      sparkline(
        months.map((one) =>
          sum(counted.filter((row) => row.month === one), "value")
        ),
      ),
    );
  });
  refill($("cards"), ...cards);
}

/**
 * The months from the first to the last of some rows, without gaps; or from the
 * first day of a period to today.
 * @param {Row[]} rows
 * @param {{ today: string, since: string | null }} period
 */
function monthsOf(rows, { today, since }) {
  const found = [
    ...new Set([
      ...rows.map((row) => row.month ?? ""),
      ...(since === null ? [] : [since.slice(0, 7), today]),
    ]),
  ].sort();
  const [first] = found;
  if (first === undefined) return [];
  const number = (/** @type {string} */ text) =>
    Number(text.slice(0, 4)) * 12 + Number(text.slice(5)) - 1;
  const last = found.at(-1) ?? first;
  // A quiet month since then is one of nothing.
  const end = param("to") === null && number(today) - number(last) === 1
    ? today
    : last;
  const count = number(end) - number(first) + 1;
  if (!(count <= MONTHS_MAX)) return found;
  return Array.from({ length: count }, (_, index) => {
    const [year, of] = [
      Math.floor((number(first) + index) / 12),
      (number(first) + index) % 12 + 1,
    ];
    return `${String(year).padStart(4, "0")}-${String(of).padStart(2, "0")}`;
  });
}

/**
 * @typedef {{
 *   batch: number,
 *   currency: string,
 *   name: string,
 *   measure: Measure,
 *   today: string,
 *   since: string | null,
 * }} Shown
 */

/** The figure of the measure that the address names. */
function figureOf(/** @type {Measure} */ { figures }) {
  const asked = param("figure") ?? "";
  return figures.includes(asked) ? asked : figures[0] ?? "value";
}

/**
 * How a figure is written: exactly, and in little room.
 * @param {string} name
 * @param {string} currency
 */
function formatsOf(name, currency) {
  return name === "value"
    ? {
      format: (/** @type {number} */ value) => money(value, currency),
      short: (/** @type {number} */ value) => shortMoney(value, currency),
    }
    : { format: figure, short };
}

/** Names that filter, which a fact lacks: then it has no figures. */
function lackedBy(
  /** @type {Figures} */ figures,
  /** @type {Measure} */ { fact },
) {
  return figures[fact] !== undefined
    ? []
    : NAMES.filter((name) => name !== "counterparty" && param(name) !== null);
}

/** What to say where nothing matches. */
function none(/** @type {Figures} */ figures, /** @type {Measure} */ measure) {
  const { title } = measure;
  const [lacked] = lackedBy(figures, measure);
  if (lacked !== undefined) return `${title}: not known by ${lacked}.`;
  const isFiltered = Object.values(filters()).some((value) => value !== "");
  return isFiltered
    ? `${title}: nothing matches these filters.`
    : `${title}: nothing yet.`;
}

function showMonths(
  /** @type {Overview} */ overview,
  /** @type {Shown} */ shown,
) {
  const { batch, currency, measure, today } = shown;
  const rows = rowsOf(overview, measure, { by: "month", currency });
  const name = figureOf(measure);
  refill(
    $("figures"),
    ...measure.figures.map((one) =>
      make("button", {
        type: "button",
        "aria-pressed": String(one === name),
        onclick: () => go({ figure: one === measure.figures[0] ? null : one }),
      }, one)
    ),
  );
  const { since } = shown;
  const months = monthsOf(rows, {
    today,
    since: measure.kinds === undefined ? since : null,
  });
  const stacked = measure.kinds !== undefined;
  const series = stacked ? STATES : [name];
  const before = overview.period === "12m"
    ? rowsBefore(overview, measure, { by: "month", currency })
    : null;
  const title = `${measure.title} by month, ${
    name === "value" ? currency : name
  }`;
  drawPlot("chart", "month", {
    title,
    rows: rows.map(named),
    none: none(overview, measure),
    file: `${shown.name}-by-month-batch-${batch}`,
    open: (row) => openRows(measure, row, shown),
  }, {
    label: `${title}. The arrow keys move from month to month, Enter shows ` +
      "the rows, and the button Table all figures.",
    type: stacked ? "column" : "line",
    points: months.map(month),
    series: [
      ...(before === null ? [] : [{
        name: "a year before",
        look: "ghost",
        values: months.map((one) =>
          sum(before.filter((row) => row.month === yearBefore(one)), name)
        ),
      }]),
      ...series.map((state) => ({
        name: state,
        look: stacked ? state : "main",
        // In a month without a row, nothing was sold.
        values: months.map((one) =>
          sum(
            rows.filter((row) =>
              row.month === one && (!stacked || row.state === state)
            ),
            name,
          )
        ),
      })),
    ],
    ...formatsOf(name, currency),
    partial: !stacked && months.at(-1) === today,
    act: (index) => openRows(measure, { month: months[index] ?? "" }, shown),
  });
}

function yearBefore(/** @type {string} */ month) {
  return `${String(Number(month.slice(0, 4)) - 1).padStart(4, "0")}${
    month.slice(4)
  }`;
}

/** A row with its kind in words. */
function named(/** @type {Row} */ row) {
  return row.kind === undefined
    ? row
    : { ...row, kind: KINDS[row.kind] ?? row.kind };
}

function showBoards(
  /** @type {Overview} */ figures,
  /** @type {Shown} */ shown,
) {
  const { batch, currency, measure } = shown;
  const name = figureOf(measure);
  const formats = formatsOf(name, currency);
  for (const board of measure.boards) {
    const isState = measure.kinds !== undefined;
    const by = isState ? "counterparty" : board;
    const rows = rowsOf(figures, measure, { by, currency })
      .filter(({ state }) => !isState || state === board);
    const sums = summed(rows, by, name);
    const before = new Map(
      summed(rowsBefore(figures, measure, { by, currency }) ?? [], by, name)
        .map(({ id, value }) => [id, value]),
    );
    const most = Math.max(...sums.map(({ value }) => value), 0);
    drawBars(
      "boards",
      board,
      {
        title: isState
          ? `${measure.title}: ${board}`
          : `${measure.title} by ${board}`,
        heading: isState ? board : `by ${board}`,
        rows: rows.map(named),
        none: none(figures, measure),
        file: `${shown.name}-by-${board}-batch-${batch}`,
        open: (row) => openRows(measure, row, shown),
      },
      sums.slice(0, BOARD_ROWS_MAX).map((
        { id, label, value, detail, row },
      ) => ({
        name: label,
        share: most === 0 ? 0 : value / most,
        value: formats.short(value),
        exact: formats.format(value),
        look: isState ? board : "main",
        detail: make(
          "span",
          { class: "detail" },
          detail,
          detail === "" ? "" : " ",
          changeOf(value, before.get(id), measure.moreIsGood === true),
        ),
        row,
        says: param(by) === null ? `Show ${label} alone` : `Rows of ${label}`,
        act: () =>
          param(by) === null
            ? go({
              [by]: label,
              // Two people may have the same name.
              ...(detailOf(row, by) === ""
                ? {}
                : { department: detailOf(row, by) }),
            })
            : openRows(
              measure,
              isState ? { counterparty: label, state: board } : row,
              shown,
            ),
      })),
    );
  }
  keepCards("boards", measure.boards);
}

/** What tells two of the same name apart. */
function detailOf(/** @type {Row} */ row, /** @type {string} */ by) {
  return by === "staff" ? row.department ?? "" : "";
}

/**
 * Adds up the rows of the same name, the largest first. Two people may have the
 * same name in different departments.
 * @param {Row[]} rows
 * @param {string} by
 * @param {string} column
 */
function summed(rows, by, column) {
  /** @type {Map<string, { id: string, label: string, detail: string, value: number, row: Row }>} */
  const sums = new Map();
  for (const row of rows) {
    const detail = detailOf(row, by);
    const id = JSON.stringify([row[by], detail]);
    const known = sums.get(id) ??
      { id, label: row[by] ?? "", detail, value: 0, row };
    known.value += Number(row[column] ?? 0);
    sums.set(id, known);
  }
  return [...sums.values()].sort((one, other) => other.value - one.value);
}

/** The columns of figures, which filter no rows. */
const SUMS = new Set(["orders", "units", "value", "payments"]);

/**
 * Goes to the rows behind a figure.
 * @param {Measure} measure
 * @param {Row} row
 * @param {Shown} shown
 */
function openRows({ fact, kinds }, row, { currency, since }) {
  const all = kinds !== undefined
    ? { kind: kinds.join() }
    : since === null
    ? {}
    : { from: since };
  const given = Object.entries({ ...all, currency, ...row })
    .filter(([name]) => !SUMS.has(name))
    // In words for people; the server knows the code.
    .map(([name, value]) => [name, name === "kind" ? kindOf(value) : value]);
  go({ rows: `${fact}?${new URLSearchParams(Object.fromEntries(given))}` });
}

function kindOf(/** @type {string} */ words) {
  return Object.keys(KINDS).find((kind) => KINDS[kind] === words) ?? words;
}

/** Writes the filters of the address into their fields, and as chips. */
export function showFilters() {
  const chosen = filters();
  for (const name of ["from", "to", "counterparty"]) {
    const input = field(name);
    if (document.activeElement !== input) input.value = chosen[name] ?? "";
  }
  const chips = Object.entries(chosen)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => [
      name,
      NAMES.includes(name) ? value : `${name} ${shown(value)}`,
    ])
    .map(([name = "", text]) =>
      make("button", {
        type: "button",
        class: "chip",
        "data-chip": name,
        "aria-label": `Remove the filter ${text}`,
        onclick: () => go({ [name]: null }),
      }, `${text} ×`)
    );
  refill($("chips"), ...chips);
  write(
    $("filters-name"),
    chips.length === 0 ? "Filters" : `Filters (${rounded(chips.length)})`,
  );
}

/** Applies the fields of the filters, if they make sense. */
export function applyFilters() {
  const from = field("from");
  const to = field("to");
  const party = field("counterparty");
  const isReversed = from.value !== "" && to.value !== "" &&
    from.value > to.value;
  to.setCustomValidity(isReversed ? "To is before From." : "");
  const name = counterpartyOf(party.value);
  party.setCustomValidity(
    name === undefined ? `No counterparty is called “${party.value}”.` : "",
  );
  if (!to.reportValidity() || !party.reportValidity()) return;
  party.value = name ?? "";
  go({ from: from.value, to: to.value, counterparty: name ?? "" });
}

/** The counterparty that a text means, if it means one. */
function counterpartyOf(/** @type {string} */ text) {
  if (text === "" || text === param("counterparty")) return text;
  const names = [...$("counterparties").querySelectorAll("option")]
    .map(({ value }) => value);
  const like = (/** @type {(name: string) => boolean} */ test) => {
    const found = names.filter(test);
    return found.length === 1 ? found[0] : undefined;
  };
  const lower = text.toLowerCase();
  return names.find((one) => one === text) ??
    like((one) => one.toLowerCase() === lower) ??
    like((one) => one.toLowerCase().includes(lower));
}
