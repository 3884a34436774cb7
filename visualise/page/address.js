// @ts-check
// What the page shows stands in its address, so that it can be reloaded,
// shared, bookmarked and left by Back.

/**
 * Changes of the address by name: null removes.
 * @typedef {Record<string, string | number | null>} Changes
 */

const VIEWS = ["overview", "changes", "record", "pipeline", "batch"];
/** The views that can show the past. */
const TIMED = ["overview", "changes", "record"];
/** What another view does not take along. */
const OF_ONE_VIEW = ["rows", "record", "batch", "since", "of"];
/** @type {() => void} */
let onChange = () => {};

/** What the address says under a name; null if nothing. */
export function param(/** @type {string} */ name) {
  return new URLSearchParams(location.search).get(name) || null;
}

/** The view that the address names. */
export function view() {
  const named = param("view") ?? "";
  return VIEWS.includes(named) ? named : "overview";
}

/** Whether the view can show the past. */
export function isTimed() {
  return TIMED.includes(view());
}

/** The address after some changes, relative to this page. */
export function href(/** @type {Changes} */ changes) {
  const params = new URLSearchParams(location.search);
  if ("view" in changes) {
    for (const name of OF_ONE_VIEW) params.delete(name);
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") params.delete(name);
    else params.set(name, String(value));
  }
  if (params.get("view") === "overview") params.delete("view");
  const query = params.toString();
  return query === "" ? "./" : `?${query}`;
}

/**
 * Changes the address, and with it what is shown. What a person did not choose
 * replaces the entry in the browser's history.
 * @param {Changes} changes
 * @param {{ replace?: boolean }} options
 */
export function go(changes, { replace = false } = {}) {
  const to = new URL(href(changes), location.href);
  if (to.href === location.href) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  onChange();
}

/** Writes into the address what the page shows already. */
export function note(/** @type {Changes} */ changes) {
  history.replaceState(null, "", new URL(href(changes), location.href));
}

/** Calls back when the address changes, by a person's choice or by Back. */
export function onGo(/** @type {() => void} */ callback) {
  onChange = callback;
  addEventListener("popstate", callback);
}

/** Makes a link change the address without loading the page again. */
export function follow(
  /** @type {HTMLAnchorElement} */ link,
  /** @type {Changes} */ changes,
) {
  link.href = href(changes);
  link.onclick = (event) => {
    // A new tab or window is the browser's to open.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(changes);
  };
}
