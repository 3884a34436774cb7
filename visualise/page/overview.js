// @ts-check
// The overview: four figures, one large chart, and lists of who and what is
// behind it. Currencies are never added up: one is shown at a time.
import { go, param } from "./address.js";
import { drawBars, drawPlot, keepCards } from "./charts.js";
import { cardsOf, filterNames, inWords, ourCompany } from "./company.js";
import { $, field, make, refill, write } from "./elements.js";
import {
  figure,
  heading,
  money,
  month,
  percent,
  rounded,
  short,
  shortMoney,
  shown,
} from "./formats.js";
import { sparkline } from "./plot.js";
import { readRows } from "./rows.js";
import { get, shownBatch } from "./state.js";

/** @typedef {Record<string, string>} Row */
/** @typedef {import("./company.js").Card} Card */
/** @typedef {import("./company.js").Measure} Measure */
/** @typedef {import("./company.js").Subject} Subject */
/** @typedef {Record<string, Record<string, Row[]>>} Figures */

/**
 * Figures of a period, and of the one before; what is stacked by state is of
 * any day.
 * @typedef {{
 *   snapshot_time: string,
 *   period: "12m" | "days" | "all",
 *   from: string | null,
 *   figures: Figures,
 *   before: { from: string, to: string, figures: Figures } | null,
 *   offered: { dimension: string, names: string[] } | null,
 * }} Overview
 */

/** Fifty years: a longer span means that a date is wrong. */
const MONTHS_MAX = 600;
const SPARK_MONTHS = 13;
const BOARD_ROWS_MAX = 8;

/**
 * The dimension that a field filters by; null until it is known.
 * @type {string | null}
 */
let offered = null;

/** The filters that the server applies to figures and rows. */
export function filters() {
  return Object.fromEntries(
    ["from", "to", ...filterNames()].map((name) => [name, param(name) ?? ""]),
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
        period: param("period") ?? ourCompany().period,
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
  const currencies = currenciesOf(answer.figures);
  const asked = param("currency");
  const { currency: usual = "" } = ourCompany();
  const [most = ""] = currencies.includes(usual) ? [usual] : currencies;
  const currency = asked ?? most;
  // What is asked for stays on offer even if it has no figures.
  const listed = asked === null || currencies.includes(asked)
    ? currencies
    : [...currencies, asked];
  offerCurrencies(listed.sort(), currency);
  offerNames(answer.offered);
  const cards = cardsOf();
  const card = cards.find(({ name }) => name === param("measure")) ?? cards[0];
  if (card === undefined) return;
  const today = (answer.snapshot_time ?? "").slice(0, 7);
  showCards(answer, { currency, chosen: card.name, today });
  showPeriod(answer);
  const since = answer.period === "12m" ? answer.from : null;
  const shown = { batch, currency, card, today, since };
  showMonths(answer, shown);
  showBoards(answer, shown);
}

/** Offers the names of one dimension in the field of the filters. */
function offerNames(/** @type {Overview["offered"]} */ names) {
  offered = names?.dimension ?? null;
  write($("name-label"), heading(titled(offered ?? "")));
  refill(
    $("names"),
    ...(names?.names ?? []).map((name) => make("option", { value: name })),
  );
  showFilters();
}

function titled(/** @type {string} */ name) {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
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

/** The measure that counts records. */
function countOf(/** @type {Subject} */ { measures }) {
  return measures.find(({ unit }) => unit === "count")?.name ?? "";
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
 * The rows of a card, in a currency if it has several.
 * @param {Figures} figures
 * @param {Card} card
 * @param {{ by: string, currency: string }} chosen
 */
function rowsOf(figures, { subject, only }, { by, currency }) {
  return (figures[subject.name]?.[by] ?? []).filter((row) =>
    (row.currency === undefined || row.currency === currency) &&
    (only === undefined || only.names.includes(row[only.dimension] ?? ""))
  );
}

function sum(/** @type {Row[]} */ rows, /** @type {string} */ column) {
  return rows.reduce((total, row) => total + Number(row[column] ?? 0), 0);
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

/**
 * The figures of the period before, where there are any to compare with.
 * @param {Overview} overview
 * @param {Card} card
 * @param {{ by: string, currency: string }} chosen
 * @returns {Row[] | null}
 */
function rowsBefore({ before }, card, chosen) {
  if (before === null || card.subject.states !== undefined) return null;
  const rows = rowsOf(before.figures, card, chosen);
  return rows.length === 0 ? null : rows;
}

/**
 * A change since the period before, in words and with its direction.
 * @param {number} now
 * @param {number | undefined} was
 * @param {Measure | undefined} measure Which direction of it is good, if any.
 */
function changeOf(now, was, measure) {
  if (was === undefined || was === 0) return "";
  const share = now / was - 1;
  const sign = Math.abs(share) < 0.0005 ? "" : share > 0 ? "▲ " : "▼ ";
  const isGood = measure?.moreIsGood;
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

/**
 * @param {Overview} overview
 * @param {{ currency: string, chosen: string, today: string }} shown
 */
function showCards(overview, { currency, chosen, today }) {
  const { figures, period } = overview;
  const against = overview.before === null
    ? ""
    : period === "12m"
    ? " on the year before"
    : ` on ${shown(overview.before.from)} to ${shown(overview.before.to)}`;
  const cards = cardsOf().map((card) => {
    const { subject } = card;
    const { main } = subject;
    const formats = formatsOf(subject, main, currency);
    const rows = rowsOf(figures, card, { by: "month", currency });
    const [worst, ...states] = subject.states?.names ?? [];
    const inState = (/** @type {string | undefined} */ name) =>
      rows.filter((row) => row[subject.states?.dimension ?? ""] === name);
    const counted = worst === undefined ? rows : inState(worst);
    const value = sum(counted, main);
    const before = rowsBefore(overview, card, { by: "month", currency });
    const since = period === "12m" ? overview.from : null;
    const months = monthsOf(rows, { today, since }).slice(-SPARK_MONTHS);
    const [lacked] = lackedBy(figures, card);
    return make(
      "button",
      {
        type: "button",
        class: "card",
        "data-card": card.name,
        "aria-pressed": String(card.name === chosen),
        onclick: () => go({ measure: card.name, figure: null }),
      },
      make(
        "span",
        { class: "card-name" },
        worst === undefined ? card.title : `${card.title}, ${worst}`,
      ),
      make(
        "span",
        {
          class: `card-value${worst !== undefined && value > 0 ? " bad" : ""}`,
          title: formats.format(value),
          "data-value": value.toFixed(2),
        },
        lacked === undefined ? formats.short(value) : "–",
      ),
      make(
        "span",
        { class: "card-detail" },
        ...(lacked === undefined
          ? countedIn(counted, subject)
          : [`not known by ${heading(lacked)}`]),
        // What is well needs no word.
        lacked === undefined
          ? states.slice(0, -1).map((state) =>
            `; ${formats.short(sum(inState(state), main))} ${state}`
          ).join("")
          : "",
      ),
      make(
        "span",
        { class: "card-detail" },
        ...(before === null ? [] : [
          changeOf(value, sum(before, main), measureOf(subject, main)),
          against,
        ]),
      ),
      sparkline(
        months.map((one) =>
          sum(counted.filter((row) => row.month === one), main)
        ),
      ),
    );
  });
  refill($("cards"), ...cards);
}

/**
 * How many records some rows count, in words.
 * @param {Row[]} rows
 * @param {Subject} subject
 */
function countedIn(rows, subject) {
  const name = countOf(subject);
  if (name === subject.main) return [];
  const count = sum(rows, name);
  return [
    make("b", { "data-count": String(count) }, figure(count)),
    ` ${heading(count === 1 ? name.replace(/s$/, "") : name)}`,
  ];
}

/**
 * @param {Subject} subject
 * @param {string} name
 */
function measureOf({ measures }, name) {
  return measures.find((one) => one.name === name);
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
 *   card: Card,
 *   today: string,
 *   since: string | null,
 * }} Shown
 */

/** The measures of a subject, the main one first. */
function figuresOf(/** @type {Subject} */ { measures, main }) {
  const names = measures.map(({ name }) => name);
  return [main, ...names.filter((name) => name !== main)];
}

/** The measure that the address names. */
function figureOf(/** @type {Subject} */ subject) {
  const asked = param("figure") ?? "";
  return figuresOf(subject).includes(asked) ? asked : subject.main;
}

/**
 * How a measure is written: exactly, and in little room.
 * @param {Subject} subject
 * @param {string} name
 * @param {string} chosen The currency that is shown, if there are several.
 */
function formatsOf(subject, name, chosen) {
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
function currencyOf({ currency = "" }, chosen) {
  return currency === "currency" ? chosen : currency;
}

/** Names that filter, which a subject lacks: then it has no figures. */
function lackedBy(
  /** @type {Figures} */ figures,
  /** @type {Card} */ { subject },
) {
  const known = subject.boards.map(({ name }) => name);
  return figures[subject.name] !== undefined
    ? []
    : filterNames().filter((name) =>
      param(name) !== null && !known.includes(name)
    );
}

/** What to say where nothing matches. */
function none(/** @type {Figures} */ figures, /** @type {Card} */ card) {
  const { title } = card;
  const [lacked] = lackedBy(figures, card);
  if (lacked !== undefined) return `${title}: not known by ${heading(lacked)}.`;
  const isFiltered = Object.values(filters()).some((value) => value !== "");
  return isFiltered
    ? `${title}: nothing matches these filters.`
    : `${title}: nothing yet.`;
}

function showMonths(
  /** @type {Overview} */ overview,
  /** @type {Shown} */ shown,
) {
  const { batch, currency, card, today, since } = shown;
  const { subject } = card;
  const { states } = subject;
  const rows = rowsOf(overview.figures, card, { by: "month", currency });
  const name = figureOf(subject);
  refill(
    $("figures"),
    ...figuresOf(subject).map((one) =>
      make("button", {
        type: "button",
        "aria-pressed": String(one === name),
        onclick: () => go({ figure: one === subject.main ? null : one }),
      }, heading(one))
    ),
  );
  const months = monthsOf(rows, {
    today,
    since: states === undefined ? since : null,
  });
  const before = overview.period === "12m"
    ? rowsBefore(overview, card, { by: "month", currency })
    : null;
  const measure = measureOf(subject, name);
  const title = `${card.title} by month, ${
    measure?.unit === "money" ? currencyOf(measure, currency) : heading(name)
  }`;
  drawPlot("chart", "month", {
    title,
    ...tabled(rows, card, shown),
    none: none(overview.figures, card),
    file: `${card.name}-by-month-batch-${batch}`,
  }, {
    label: `${title}. The arrow keys move from month to month, Enter shows ` +
      "the rows, and the button Table all figures.",
    type: states === undefined ? "line" : "column",
    points: months.map(month),
    series: [
      ...(before === null ? [] : [{
        name: "a year before",
        look: "ghost",
        values: months.map((one) =>
          sum(before.filter((row) => row.month === yearBefore(one)), name)
        ),
      }]),
      ...(states?.names ?? [name]).map((state) => ({
        name: heading(state),
        look: states === undefined ? "main" : lookOf(state, states),
        // In a month without a row, there was nothing.
        values: months.map((one) =>
          sum(
            rows.filter((row) =>
              row.month === one &&
              (states === undefined || row[states.dimension] === state)
            ),
            name,
          )
        ),
      })),
    ],
    ...formatsOf(subject, name, currency),
    partial: states === undefined && months.at(-1) === today,
    act: (index) => openRows(card, { month: months[index] ?? "" }, shown),
  });
}

/**
 * The class of a state, by its place among them.
 * @param {string} state
 * @param {import("./company.js").Names} states
 */
function lookOf(state, { names }) {
  const place = names.indexOf(state);
  if (place === 0) return "state-first";
  return place === names.length - 1 ? "state-last" : "state-between";
}

function yearBefore(/** @type {string} */ month) {
  return `${String(Number(month.slice(0, 4)) - 1).padStart(4, "0")}${
    month.slice(4)
  }`;
}

/**
 * Rows as a table shows them, with codes in words, and what opens them.
 * @param {Row[]} rows
 * @param {Card} card
 * @param {Shown} shown
 */
function tabled(rows, card, shown) {
  /** @type {Map<Row, Row>} */
  const coded = new Map();
  for (const row of rows) {
    const { dimension = "" } = card.only ?? {};
    const written = row[dimension] === undefined
      ? row
      : { ...row, [dimension]: inWords(row[dimension] ?? "") };
    coded.set(written, row);
  }
  return {
    rows: [...coded.keys()],
    open: (/** @type {Row} */ row) =>
      openRows(card, coded.get(row) ?? row, shown),
  };
}

function showBoards(
  /** @type {Overview} */ overview,
  /** @type {Shown} */ shown,
) {
  const { batch, currency, card } = shown;
  const { figures } = overview;
  const { subject } = card;
  const { states } = subject;
  const name = figureOf(subject);
  const measure = measureOf(subject, name);
  const formats = formatsOf(subject, name, currency);
  const [first] = subject.boards;
  const boards = states === undefined
    ? subject.boards.map((one) => ({ ...one, id: one.name }))
    : first === undefined
    ? []
    : states.names.map((state) => ({ ...first, id: state }));
  for (const { id, name: by, within } of boards) {
    const rows = rowsOf(figures, card, { by, currency })
      .filter((row) => states === undefined || row[states.dimension] === id);
    const sums = summed(rows, { by, within, column: name });
    const before = new Map(
      summed(rowsBefore(overview, card, { by, currency }) ?? [], {
        by,
        within,
        column: name,
      }).map(({ id, value }) => [id, value]),
    );
    const most = Math.max(...sums.map(({ value }) => value), 0);
    drawBars(
      "boards",
      id,
      {
        title: states === undefined
          ? `${card.title} by ${heading(by)}`
          : `${card.title}: ${id}`,
        heading: states === undefined ? `by ${heading(by)}` : id,
        ...tabled(rows, card, shown),
        none: none(figures, card),
        file: `${card.name}-by-${id}-batch-${batch}`,
      },
      sums.slice(0, BOARD_ROWS_MAX).map((
        { id: key, label, value, detail, row },
      ) => ({
        name: label,
        share: most === 0 ? 0 : value / most,
        value: formats.short(value),
        exact: formats.format(value),
        look: states === undefined ? "main" : lookOf(id, states),
        detail: make(
          "span",
          { class: "detail" },
          detail,
          detail === "" ? "" : " ",
          changeOf(value, before.get(key), measure),
        ),
        row,
        says: param(by) === null ? `Show ${label} alone` : `Rows of ${label}`,
        act: () =>
          param(by) === null
            ? go({
              [by]: label,
              // Two may have the same name.
              ...(within === undefined || detail === ""
                ? {}
                : { [within]: detail }),
            })
            : openRows(
              card,
              states === undefined
                ? row
                : { [by]: label, [states.dimension]: id },
              shown,
            ),
      })),
    );
  }
  keepCards("boards", boards.map(({ id }) => id));
}

/**
 * Adds up the rows of the same name, the largest first. Two may have the same
 * name within different others.
 * @param {Row[]} rows
 * @param {{ by: string, within: string | undefined, column: string }} options
 */
function summed(rows, { by, within, column }) {
  /** @type {Map<string, { id: string, label: string, detail: string, value: number, row: Row }>} */
  const sums = new Map();
  for (const row of rows) {
    const detail = within === undefined ? "" : row[within] ?? "";
    const id = JSON.stringify([row[by], detail]);
    const known = sums.get(id) ??
      { id, label: row[by] ?? "", detail, value: 0, row };
    known.value += Number(row[column] ?? 0);
    sums.set(id, known);
  }
  return [...sums.values()].sort((one, other) => other.value - one.value);
}

/**
 * Goes to the rows behind a figure.
 * @param {Card} card
 * @param {Row} row
 * @param {Shown} shown
 */
function openRows({ subject, only }, row, { currency, since }) {
  const { name, measures, splits, states } = subject;
  const sums = measures.map((one) => one.name);
  const asked = new URLSearchParams();
  for (const one of only?.names ?? []) {
    if (only !== undefined && row[only.dimension] === undefined) {
      asked.append(only.dimension, one);
    }
  }
  if (states === undefined && since !== null) asked.append("from", since);
  const all = splits.includes("currency") ? { currency, ...row } : row;
  for (const [column, value] of Object.entries(all)) {
    if (!sums.includes(column)) asked.append(column, value);
  }
  go({ rows: `${name}?${asked}` });
}

/** Writes the filters of the address into their fields, and as chips. */
export function showFilters() {
  const chosen = filters();
  $("name-field").hidden = offered === null;
  for (
    const [id, name] of [["from", "from"], ["to", "to"], ["name", offered]]
  ) {
    const input = field(id ?? "");
    if (document.activeElement !== input) {
      input.value = chosen[name ?? ""] ?? "";
    }
  }
  const chips = Object.entries(chosen)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => [
      name,
      name === "from" || name === "to" ? `${name} ${shown(value)}` : value,
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
  const named = field("name");
  const isReversed = from.value !== "" && to.value !== "" &&
    from.value > to.value;
  to.setCustomValidity(isReversed ? "To is before From." : "");
  const name = nameOf(named.value);
  named.setCustomValidity(
    name === undefined
      ? `No ${heading(offered ?? "")} is called “${named.value}”.`
      : "",
  );
  if (!to.reportValidity() || !named.reportValidity()) return;
  named.value = name ?? "";
  go({
    from: from.value,
    to: to.value,
    ...(offered === null ? {} : { [offered]: name ?? "" }),
  });
}

/** The name that a text means, if it means one. */
function nameOf(/** @type {string} */ text) {
  if (text === "" || text === param(offered ?? "")) return text;
  const names = [...$("names").querySelectorAll("option")]
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
