// @ts-check
// The view of one record's history.
import { go, param } from "./address.js";
import { ourCompany, recordTitle } from "./company.js";
import { isTechnical, titleOf, valueOf } from "./differences.js";
import { $, field, make, refill, write } from "./elements.js";
import { figure, moment } from "./formats.js";
import { get, newestBatch } from "./state.js";

/** @typedef {import("./differences.js").Column} Column */
/** @typedef {{ batch: string, at: string, kind: string, columns: Column[] }} Moment */

/** Offers the kinds of records as soon as they are known. */
export function offerRecords() {
  if ($("record-kind").childElementCount > 0) return;
  $("record-kind").append(
    ...ourCompany().records.map(({ name, title }) =>
      make("option", { value: name }, title)
    ),
  );
}

/** Fetches the history of the record in the address. */
export async function readRecord(/** @type {AbortSignal} */ signal) {
  const { records } = ourCompany();
  const [kind = "", ...parts] = (param("record") ?? "").split("/");
  const key = parts.join("/");
  const batch = newestBatch();
  const title = $("record-title");
  const name = `${recordTitle(kind)} ${readable(key)}`.trim();
  write(title, name === "" ? "Record history" : `History of ${name}`);
  field("record-kind").value = kind || (records[0]?.name ?? "");
  if (document.activeElement !== field("record-key")) {
    field("record-key").value = readable(key);
  }
  const moments = key === "" ? null : await get(
    `api/history/${encodeURIComponent(kind)}/${key}`,
    signal,
  );
  return {
    batch,
    snapshotTime: undefined,
    show: () => {
      refill(
        $("history"),
        moments === null
          ? make("p", { class: "none" }, "Choose a record.")
          : moments.length === 0
          ? make("p", { class: "none" }, `No ${name} was ever loaded.`)
          : make("ol", { class: "timeline" }, ...moments.map(momentOf)),
      );
    },
  };
}

/** A key as people write it; what is not encoded well stays as it is. */
function readable(/** @type {string} */ key) {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

function sorted(/** @type {Column[]} */ columns) {
  return columns.toSorted((one, other) =>
    Number(isTechnical(one)) - Number(isTechnical(other))
  );
}

function momentOf(/** @type {Moment} */ { batch, at, kind, columns }) {
  const title = make(
    "p",
    {},
    make("strong", {}, kind),
    ` in batch ${figure(batch)}, ${moment(at)} `,
    make("button", {
      type: "button",
      "aria-label": `See everything at this moment, batch ${batch}`,
      onclick: () => go({ view: "overview", at: batch }),
    }, "See everything at this moment"),
  );
  const described = sorted(columns).flatMap((column) => [
    make("dt", {}, titleOf(column)),
    make(
      "dd",
      {},
      ...(kind === "updated"
        ? [make("del", {}, ...valueOf(column, "before", "nothing")), " → "]
        : []),
      make("ins", {}, ...valueOf(column, "after", "nothing")),
    ),
  ]);
  return make(
    "li",
    { class: `kind-${kind}`, "data-event": kind },
    title,
    kind === "deleted" ? "" : make("dl", { class: "columns" }, ...described),
  );
}
