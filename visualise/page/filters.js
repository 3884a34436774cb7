// @ts-check
// What figures and rows are filtered by: the fields, and the chips.
import { go, param } from "./address.js";
import { filterNames } from "./company.js";
import { $, field, make, refill, write } from "./elements.js";
import { heading, rounded } from "./formats.js";
import { shown } from "./times.js";

/**
 * The dimension that a field filters by; null until it is known.
 * @type {string | null}
 */
let offered = null;

/** The names that were offered last. */
let offeredLast = "";

/** The filters that the server applies to figures and rows. */
export function filters() {
  return Object.fromEntries(
    ["from", "to", ...filterNames()].map((name) => [name, param(name) ?? ""]),
  );
}

/** Offers the names of one dimension in the field of the filters. */
export function offerNames(
  /** @type {{ dimension: string, names: string[] } | null} */ names,
) {
  offered = names?.dimension ?? null;
  write($("name-label"), titled(heading(offered ?? "")));
  const listed = JSON.stringify(names?.names ?? []);
  if (listed !== offeredLast) {
    offeredLast = listed;
    refill(
      $("names"),
      ...(names?.names ?? []).map((name) => make("option", { value: name })),
    );
  }
  showFilters();
}

function titled(/** @type {string} */ name) {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
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
  const all = make("button", {
    type: "button",
    class: "chip",
    onclick: () =>
      go(Object.fromEntries(Object.keys(chosen).map((name) => [name, null]))),
  }, "Clear filters");
  refill($("chips"), ...chips, ...(chips.length > 1 ? [all] : []));
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
