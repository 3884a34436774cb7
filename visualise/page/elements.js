// @ts-check
// Makes the page's elements. All data is written as text, never as HTML.
import { cell, heading, isFigure, isNumber } from "./formats.js";
import { shown } from "./times.js";

/** @typedef {Record<string, any>} Row */

/**
 * What a row of a table offers as a button; with `offers`, only some rows do.
 * @typedef {{
 *   label: string,
 *   act: (row: Row) => void,
 *   offers?: (row: Row) => boolean,
 * }} Action
 */

const DAY = /^\d{4}-\d\d-\d\d$/;

/** The element of an id, which the page has. */
export function $(/** @type {string} */ id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** The field of an id. */
export function field(/** @type {string} */ id) {
  return /** @type {HTMLInputElement} */ ($(id));
}

/**
 * Makes an element; children are nodes or text.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name | string} name
 * @param {Record<string, any>} attributes
 * @param {(Node | string | null | undefined)[]} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) {
      element.addEventListener(key.slice(2), value);
    } else element.setAttribute(key, value);
  }
  element.append(...children.map((child) => child ?? ""));
  return /** @type {any} */ (element);
}

/** Writes a text if it differs, so that screen readers report changes only. */
export function write(
  /** @type {Element} */ element,
  /** @type {string} */ text,
) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * What was ever scrolled. To ask anything else for its place would lay the page
 * out at once, for nothing.
 * @type {WeakSet<Element>}
 */
const scrolledOnce = new WeakSet();
addEventListener("scroll", ({ target }) => {
  if (target instanceof Element) scrolledOnce.add(target);
}, { capture: true, passive: true });

/**
 * Refills an element if that changes anything. Focus stays on the button of the
 * same name, and regions stay scrolled to the same place.
 * @param {Element} element
 * @param {(Node | string)[]} children
 */
export function refill(element, ...children) {
  const filled = document.createDocumentFragment();
  filled.append(...children);
  if (isAlike(element, filled)) return;
  const focused = element.contains(document.activeElement)
    ? nameOf(/** @type {Element} */ (document.activeElement))
    : null;
  const regions = () => [element, ...element.querySelectorAll(".scroll")];
  const places = regions().map((region) =>
    scrolledOnce.has(region) ? region.scrollTop : 0
  );
  element.replaceChildren(filled);
  for (const [index, region] of regions().entries()) {
    const place = places[index] ?? 0;
    if (place === 0) continue;
    region.scrollTop = place;
    scrolledOnce.add(region);
  }
  if (focused === null) return;
  /** @type {HTMLElement[]} */
  const candidates = [...element.querySelectorAll("a, button, [tabindex]")]
    .map((one) => /** @type {HTMLElement} */ (one));
  candidates.find((one) => nameOf(one) === focused)
    ?.focus({ preventScroll: true });
}

/**
 * Whether both hold the same.
 * @param {Element} element
 * @param {DocumentFragment} filled
 */
function isAlike({ childNodes }, filled) {
  return childNodes.length === filled.childNodes.length &&
    [...filled.childNodes].every((one, index) =>
      one.isEqualNode(childNodes[index] ?? null)
    );
}

function nameOf(/** @type {Element} */ element) {
  return element.getAttribute("aria-label") ?? element.textContent;
}

/**
 * A region that scrolls, for content that may be larger than the page.
 * @param {string} label
 * @param {(Node | string)[]} children
 */
export function scrolled(label, ...children) {
  return make("div", {
    class: "scroll",
    tabindex: "0",
    role: "region",
    "aria-label": label,
  }, ...children);
}

/**
 * The rows as a table that scrolls, or these words if there are none.
 * @param {string} label
 * @param {Row[]} rows
 * @param {string} words
 * @param {Action} [action]
 */
export function tableOrWords(label, rows, words, action) {
  return rows.length === 0
    ? make("p", { class: "none" }, words)
    : scrolled(label, tableOf(rows, action));
}

/**
 * A table of rows. On a phone, each row is a card.
 * @param {Row[]} rows
 * @param {Action} [action]
 */
export function tableOf(rows, action) {
  const columns = Object.keys(rows[0] ?? {});
  const align = (/** @type {string} */ name) =>
    isFigure(name) || isNumber(rows[0]?.[name]) ? "number" : "";
  const head = columns.map((name) =>
    make("th", { scope: "col", class: align(name) }, heading(name))
  );
  const body = rows.map((row) =>
    make(
      "tr",
      {},
      ...columns.map((name) =>
        make(
          "td",
          {
            class: DAY.test(String(row[name])) ? "day" : align(name),
            "data-column": heading(name),
          },
          cell(name, row[name]),
        )
      ),
      ...(action === undefined ? [] : [make(
        "td",
        { class: "action" },
        action.offers?.(row) === false ? "" : actionOf(action, row, columns),
      )]),
    )
  );
  return make(
    "table",
    {},
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        ...head,
        ...(action === undefined ? [] : [make(
          "th",
          { scope: "col", class: "action" },
          make("span", { class: "unseen" }, action.label),
        )]),
      ),
    ),
    make("tbody", {}, ...body),
  );
}

/**
 * @param {Action} action
 * @param {Row} row
 * @param {string[]} columns
 */
function actionOf({ label, act }, row, columns) {
  // Screen readers need the row's identity in the label.
  const name = `${label}: ${
    columns.slice(0, 2).map((column) => shown(row[column])).join(", ")
  }`;
  return make(
    "button",
    { type: "button", "aria-label": name, onclick: () => act(row) },
    label,
  );
}
