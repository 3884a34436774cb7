// @ts-check
// Cards with a chart, each of which can be read as a table and saved as CSV.
import { $, make, refill, scrolled, tableOf } from "./elements.js";
import { isNumber } from "./formats.js";
import { makePlot } from "./plot.js";
import { bar } from "./svg.js";

/**
 * A row of a table: its columns by name.
 * @typedef {Record<string, string>} Row
 */

/**
 * What a card shows: its title, a shorter one where it stands, all its rows,
 * what to say without any, the name of its CSV file, and what to do with a row
 * that is chosen.
 * @typedef {{
 *   title: string,
 *   heading?: string,
 *   rows: Row[],
 *   none: string,
 *   file: string,
 *   open?: (row: Row) => void,
 * }} Card
 */

/**
 * An entry of a list of bars. `act` is what choosing its name does.
 * @typedef {{
 *   name: string,
 *   share: number,
 *   value: string,
 *   exact: string,
 *   look?: string,
 *   detail?: Element | string,
 *   part?: Element | string,
 *   row: Row,
 *   act: () => void,
 *   says: string,
 * }} Bar
 */

/** @typedef {{ element: HTMLElement, draw: (drawn: any) => void }} Drawing */

/**
 * @typedef {{
 *   card: Card,
 *   article: HTMLElement,
 *   title: HTMLElement,
 *   table: HTMLElement,
 *   toggle: HTMLElement,
 *   csv: HTMLElement,
 *   none: HTMLElement,
 *   drawing: Drawing,
 * }} Entry
 */

/** @type {Map<string, Entry>} */
const entries = new Map();

/** Shows a plot in a card of this parent. */
export function drawPlot(
  /** @type {string} */ parent,
  /** @type {string} */ id,
  /** @type {Card} */ card,
  /** @type {import("./plot.js").Plot} */ plot,
) {
  entryOf(parent, id, makePlot).drawing.draw(plot);
  showCard(id, card);
}

/** Shows bars, the largest first, in a card of this parent. */
export function drawBars(
  /** @type {string} */ parent,
  /** @type {string} */ id,
  /** @type {Card} */ card,
  /** @type {Bar[]} */ bars,
) {
  entryOf(parent, id, makeBars).drawing.draw(bars);
  showCard(id, card);
}

/** Removes the cards of a parent that are not among these. */
export function keepCards(
  /** @type {string} */ parent,
  /** @type {string[]} */ ids,
) {
  for (const [id, { article }] of entries) {
    if (article.parentElement !== $(parent) || ids.includes(id)) continue;
    article.remove();
    entries.delete(id);
  }
}

/** @returns {Drawing} */
function makeBars() {
  const element = make("ol", { class: "bars" });
  return {
    element,
    draw: (/** @type {Bar[]} */ bars) =>
      refill(
        element,
        ...bars.map(({ name, value, exact, says, act, ...one }) =>
          make(
            "li",
            {},
            make(
              "button",
              {
                type: "button",
                class: "row",
                title: `${says}: ${exact}`,
                onclick: act,
              },
              make("span", { class: "name" }, name),
              make("span", { class: "amount", title: exact }, value),
              bar(one.share, one.look),
              one.detail ?? "",
              one.part ?? "",
            ),
          )
        ),
      ),
  };
}

/**
 * The card of an id, made when it is first shown.
 * @param {string} parent
 * @param {string} id
 * @param {() => Drawing} makeDrawing
 */
function entryOf(parent, id, makeDrawing) {
  const known = entries.get(id);
  if (known !== undefined) return known;
  const drawing = makeDrawing();
  const title = make("h3");
  const none = make("p", { class: "none" });
  const table = scrolled("");
  table.hidden = true;
  const toggle = make("button", {
    type: "button",
    "aria-pressed": "false",
    onclick: () => {
      table.hidden = !table.hidden;
      toggle.setAttribute("aria-pressed", String(!table.hidden));
      const entry = entries.get(id);
      if (entry !== undefined) showCard(id, entry.card);
    },
  }, "Table");
  const csv = make(
    "button",
    { type: "button", onclick: () => save(id) },
    "CSV",
  );
  const article = make(
    "article",
    { class: "chart", "data-chart": id },
    make("header", {}, title, make("div", { class: "tools" }, toggle, csv)),
    none,
    drawing.element,
    table,
  );
  $(parent).append(article);
  const card = { title: "", rows: [], none: "", file: "" };
  const entry = {
    card,
    article,
    title,
    table,
    toggle,
    csv,
    none,
    drawing,
  };
  entries.set(id, entry);
  return entry;
}

function showCard(/** @type {string} */ id, /** @type {Card} */ card) {
  const entry = entries.get(id);
  if (entry === undefined) return;
  entry.card = card;
  const { title, table, toggle, csv, none, drawing } = entry;
  const { rows, open } = card;
  title.textContent = card.heading ?? card.title;
  table.setAttribute("aria-label", `${card.title}: table`);
  toggle.setAttribute("aria-label", `Table: ${card.title}`);
  csv.setAttribute("aria-label", `CSV: ${card.title}`);
  none.hidden = rows.length > 0;
  none.textContent = card.none;
  drawing.element.hidden = rows.length === 0 || !table.hidden;
  // A table that is not seen is not made.
  refill(
    table,
    ...(table.hidden || rows.length === 0 ? [] : [tableOf(
      rows,
      open === undefined ? undefined : { label: "Rows", act: open },
    )]),
  );
}

/** Saves a card's rows as CSV, in which no text can act as a formula. */
function save(/** @type {string} */ id) {
  const entry = entries.get(id);
  if (entry === undefined) return;
  const { rows, file } = entry.card;
  const columns = Object.keys(rows[0] ?? {});
  const field = (/** @type {unknown} */ value) => {
    const text = String(value ?? "");
    const harmless = /^[=+\-@\t\r]/.test(text) && !isNumber(text)
      ? `'${text}`
      : text;
    return `"${harmless.replaceAll('"', '""')}"`;
  };
  const lines = [
    columns,
    ...rows.map((row) => columns.map((name) => row[name])),
  ].map((line) => line.map(field).join(","));
  const url = URL.createObjectURL(
    new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }),
  );
  const link = make("a", { href: url, download: `${file}.csv` });
  link.click();
  URL.revokeObjectURL(url);
}
