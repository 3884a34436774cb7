// Makes the page's elements. All data is written as text, never as HTML.
import { figure, isFigure, isNumber, shown } from "./formats.js";

export const $ = (id) => document.getElementById(id);

/** Makes an element; children are nodes or text. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) {
      element.addEventListener(key.slice(2), value);
    } else element.setAttribute(key, value);
  }
  element.append(...children.map((child) => child ?? ""));
  return element;
}

/** Writes a text if it differs, so that screen readers report changes only. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Refills an element if that changes anything. Focus stays on the button of the
 * same name, and regions stay scrolled to the same place.
 */
export function refill(element, ...children) {
  const filled = element.cloneNode(false);
  filled.append(...children);
  if (filled.innerHTML === element.innerHTML) return;
  const focused = element.contains(document.activeElement)
    ? nameOf(document.activeElement)
    : null;
  const regions = () => [element, ...element.querySelectorAll(".scroll")];
  const places = regions().map(({ scrollTop }) => scrollTop);
  element.replaceChildren(...filled.childNodes);
  for (const [index, region] of regions().entries()) {
    region.scrollTop = places[index] ?? 0;
  }
  if (focused === null) return;
  [...element.querySelectorAll("a, button, [tabindex]")]
    .find((one) => nameOf(one) === focused)?.focus({ preventScroll: true });
}

function nameOf(element) {
  return element.getAttribute("aria-label") ?? element.textContent;
}

/** A region that scrolls, for content that may be larger than the page. */
export function scrolled(label, ...children) {
  return make("div", {
    class: "scroll",
    tabindex: "0",
    role: "region",
    "aria-label": label,
  }, ...children);
}

/** The rows as a table that scrolls, or these words if there are none. */
export function tableOrWords(label, rows, words, action) {
  return rows.length === 0
    ? make("p", {}, words)
    : scrolled(label, tableOf(rows, action));
}

/**
 * A table of rows. Each may have a button, `{ label, act }`, or a link,
 * `{ label, href }`, which are given the row.
 */
export function tableOf(rows, action) {
  const columns = Object.keys(rows[0]);
  const align = (name) =>
    isFigure(name) || isNumber(rows[0][name]) ? "number" : "";
  const head = columns.map((name) =>
    make(
      "th",
      { scope: "col", class: align(name) },
      name.replaceAll("_", " "),
    )
  );
  const cell = (row, name) =>
    make(
      "td",
      { class: align(name) },
      isFigure(name) && isNumber(row[name])
        ? figure(row[name])
        : shown(row[name]),
    );
  const body = rows.map((row) =>
    make(
      "tr",
      {},
      ...columns.map((name) => cell(row, name)),
      ...(action ? [make("td", {}, actionOf(action, row, columns))] : []),
    )
  );
  return make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...head, ...(action ? [make("td")] : []))),
    make("tbody", {}, ...body),
  );
}

function actionOf({ label, act, href }, row, columns) {
  // Screen readers need the row's identity in the label.
  const name = `${label}: ${
    columns.slice(0, 2).map((column) => shown(row[column])).join(", ")
  }`;
  return href
    ? make("a", { href: href(row), "aria-label": name }, label)
    : make(
      "button",
      { type: "button", "aria-label": name, onclick: () => act(row) },
      label,
    );
}
