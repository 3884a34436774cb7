// @ts-check
// The rows behind a figure, in a dialog. Its address names them, so that Back
// closes it.
import { go, param } from "./address.js";
import { $, tableOrWords } from "./elements.js";
import { figure, shown } from "./formats.js";
import { KINDS, RECORDS } from "./measures.js";
import { get } from "./state.js";

const dialog = /** @type {HTMLDialogElement} */ ($("rows"));

dialog.addEventListener("close", () => go({ rows: null }));

/**
 * Fetches the rows that the address names, if any; returns a function that
 * shows them, or closes the dialog.
 * @param {number} batch
 * @param {Record<string, string>} filters
 * @param {AbortSignal} signal
 */
export async function readRows(batch, filters, signal) {
  const named = param("rows");
  if (named === null) return closeRows;
  const [fact = "", query = ""] = named.split(/\?(.*)/s);
  const chosen = Object.fromEntries(new URLSearchParams(query));
  const { matching, rows } = await get(
    `api/rows/${encodeURIComponent(fact)}/${batch}?${new URLSearchParams({
      ...filters,
      ...chosen,
    })}`,
    signal,
  );
  return () => {
    const count = rows.length < matching
      ? `the first ${figure(rows.length)} of ${figure(matching)}`
      : figure(matching);
    const by = Object.entries(chosen).map(([name, value]) =>
      name === "kind"
        ? kindsOf(value)
        : name === "from"
        ? `from ${shown(value)}`
        : shown(value)
    );
    $("rows-title").textContent = `${fact[0]?.toUpperCase()}${fact.slice(1)}: ${
      [...by, count].join(", ")
    }`;
    $("rows-list").replaceChildren(
      tableOrWords("Rows", rows, "No rows match.", {
        label: "History",
        // The first column of a fact's rows is the key.
        act: (row) =>
          go({
            view: "record",
            record: `${RECORDS[fact]}/${Object.values(row)[0]}`,
          }),
      }),
    );
    if (!dialog.open) dialog.showModal();
  };
}

/** Kinds of payments, separated by commas, in words. */
function kindsOf(/** @type {string} */ codes) {
  return codes.split(",").map((code) => KINDS[code] ?? code).join(" or ");
}

/** Closes the dialog when the address names no rows. */
export function closeRows() {
  if (dialog.open) dialog.close();
}
