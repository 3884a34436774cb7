// @ts-check
// The view of one record's history.
import { go, param } from "./address.js";
import { ourCompany, recordTitle } from "./company.js";
import { isTechnical, termOf, valueOf } from "./differences.js";
import { $, field, make, refill, write } from "./elements.js";
import { figure } from "./formats.js";
import { get, pastBatch, shownBatch } from "./state.js";
import { moment } from "./times.js";

/** @typedef {import("./differences.js").Column} Column */
/** @typedef {{ batch: string, at: string, kind: string, columns: Column[] }} Moment */
/**
 * What happened to a record, how it is now, and how it was at the batch that is
 * shown; null if there was none.
 * @typedef {{
 *   snapshot_time: string,
 *   moments: Moment[],
 *   shown: Column[] | null,
 *   newest: Column[],
 * }} History
 */

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
  const past = pastBatch();
  const title = $("record-title");
  const name = `${recordTitle(kind)} ${readable(key)}`.trim();
  write(title, name === "" ? "Record history" : `History of ${name}`);
  field("record-kind").value = kind || (records[0]?.name ?? "");
  if (document.activeElement !== field("record-key")) {
    field("record-key").value = readable(key);
  }
  /** @type {History | null} */
  const found = key === "" ? null : await get(
    `api/history/${encodeURIComponent(kind)}/${key}${
      past === null ? "" : `?at=${past}`
    }`,
    signal,
  );
  return {
    batch: shownBatch(),
    snapshotTime: found?.snapshot_time,
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
            make("div", {}, ...statesOf(found, { record: kind, past })),
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

/**
 * The record at the chosen moment of the past, if any, and as it is now or was
 * when it was deleted.
 * @param {History} history
 * @param {{ record: string, past: number | null }} options
 */
function statesOf({ moments, shown, newest }, { record, past }) {
  const isGone = moments.at(-1)?.kind === "deleted";
  const now = isGone ? "When it was deleted" : "Now";
  const list = (/** @type {Column[]} */ columns) =>
    listOf(columns, { record, withBefore: false });
  const last = stateOf("now", now, list(newest));
  if (past === null) return [last];
  const title = `Then, batch ${figure(past)}`;
  if (shown === null) {
    const wasThere = moments.some(({ batch }) => Number(batch) <= past);
    const text = wasThere ? "It was deleted by then." : "It was not there yet.";
    return [stateOf("then", title, make("p", { class: "none" }, text)), last];
  }
  return !isGone && JSON.stringify(shown) === JSON.stringify(newest)
    ? [stateOf("then", `${title}, and now`, list(shown))]
    : [stateOf("then", title, list(shown)), last];
}

function stateOf(
  /** @type {"then" | "now"} */ when,
  /** @type {string} */ title,
  /** @type {Element} */ content,
) {
  return make("section", { class: when }, make("h3", {}, title), content);
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
