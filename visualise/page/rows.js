// @ts-check
// The rows behind a figure, in a dialog. Its address names them, so that Back
// closes it.
import { go, param } from "./address.js";
import { inWords, ourCompany, recordAddress } from "./company.js";
import { $, tableOrWords } from "./elements.js";
import { figure } from "./formats.js";
import { get } from "./state.js";
import { shown } from "./times.js";

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
  const subject = ourCompany().subjects.find(({ name }) => name === fact);
  const chosen = new URLSearchParams(query);
  // What the rows are asked by holds for these alone.
  const asked = new URLSearchParams(
    Object.entries(filters).filter(([name]) => !chosen.has(name)),
  );
  for (const [name, value] of chosen) asked.append(name, value);
  const { matching, rows } = await get(
    `api/rows/${encodeURIComponent(fact)}/${batch}?${asked}`,
    signal,
  );
  return () => {
    const count = rows.length < matching
      ? `the first ${figure(rows.length)} of ${figure(matching)}`
      : figure(matching);
    const by = [...new Set(chosen.keys())].map((name) => {
      const values = chosen.getAll(name).map((one) => shown(inWords(one)));
      return name === "from" ? `from ${values}` : values.join(" or ");
    });
    $("rows-title").textContent = `${fact[0]?.toUpperCase()}${fact.slice(1)}: ${
      [...by, count].join(", ")
    }`;
    $("rows-list").replaceChildren(
      tableOrWords("Rows", rows, "No rows match.", {
        label: "History",
        act: (row) =>
          go({
            view: "record",
            record: recordAddress(
              subject?.record ?? "",
              (subject?.key ?? []).map((name) => row[name]),
            ),
          }),
      }),
    );
    if (!dialog.open) dialog.showModal();
  };
}

/** Closes the dialog when the address names no rows. */
export function closeRows() {
  if (dialog.open) dialog.close();
}
