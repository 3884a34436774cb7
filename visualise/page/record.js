// @ts-check
// The view of one record's history.
import { go, param } from "./address.js";
import { ourCompany, recordTitle } from "./company.js";
import { isTechnical, termOf, valueOf } from "./differences.js";
import { $, field, make, refill, write } from "./elements.js";
import { figure, moment } from "./formats.js";
import { get, newestBatch } from "./state.js";

/** @typedef {import("./differences.js").Column} Column */
/** @typedef {{ batch: string, at: string, kind: string, columns: Column[] }} Moment */
/** @typedef {{ moments: Moment[], newest: Column[] }} History */

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
  /** @type {History | null} */
  const found = key === "" ? null : await get(
    `api/history/${encodeURIComponent(kind)}/${key}`,
    signal,
  );
  return {
    batch,
    snapshotTime: undefined,
    show: () => {
      refill(
        $("history"),
        found === null
          ? make("p", { class: "none" }, "Choose a record.")
          : found.moments.length === 0
          ? make("p", { class: "none" }, `No ${name} was ever loaded.`)
          : make(
            "div",
            { class: "story" },
            stateOf(found, kind),
            make(
              "ol",
              { class: "timeline" },
              ...found.moments.map((one, _, { length }) =>
                momentOf(one, { record: kind, isOnly: length === 1 })
              ),
            ),
          ),
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

/** The record as it is now, or as it was when it was deleted. */
function stateOf(
  /** @type {History} */ { moments, newest },
  /** @type {string} */ record,
) {
  const isGone = moments.at(-1)?.kind === "deleted";
  return make(
    "section",
    { class: "now" },
    make("h3", {}, isGone ? "When it was deleted" : "Now"),
    listOf(newest, { record, withBefore: false }),
  );
}

/**
 * A list of columns, those about the business first.
 * @param {Column[]} columns
 * @param {{ record: string, withBefore: boolean }} options
 */
function listOf(columns, { record, withBefore }) {
  const described = sorted(columns).flatMap((column) => [
    termOf(column, record),
    make(
      "dd",
      {},
      ...(withBefore
        ? [make("del", {}, ...valueOf(column, "before", "nothing")), " → "]
        : []),
      make("ins", {}, ...valueOf(column, "after", "nothing")),
    ),
  ]);
  return make("dl", { class: "columns" }, ...described);
}

/**
 * What happened to a record; what was added and never changed is told by its
 * state already.
 * @param {Moment} moment
 * @param {{ record: string, isOnly: boolean }} options
 */
function momentOf({ batch, at, kind, columns }, { record, isOnly }) {
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
  return make(
    "li",
    { class: `kind-${kind}`, "data-event": kind },
    title,
    kind === "deleted" || isOnly
      ? ""
      : listOf(columns, { record, withBefore: kind === "updated" }),
  );
}
