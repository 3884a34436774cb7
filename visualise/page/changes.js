// @ts-check
// The views of what changed between two batches, and of one record's history.
import { go, param } from "./address.js";
import { ourCompany, recordAddress, recordTitle } from "./company.js";
import { $, field, make, refill, scrolled, write } from "./elements.js";
import { figure, heading, moment, rounded, shownValue } from "./formats.js";
import { get, newestBatch, shownBatch } from "./state.js";

/**
 * A column that differs; with the names, as of then, of what it refers to.
 * @typedef {{
 *   name: string,
 *   before: unknown,
 *   after: unknown,
 *   names?: { before: string | null, after: string | null },
 * }} Column
 */
/**
 * @typedef {{
 *   record: string,
 *   title: string,
 *   key: string[],
 *   kind: string,
 *   columns: Column[],
 * }} Change
 */
/** @typedef {{ batch: string, at: string, kind: string, columns: Column[] }} Moment */

/** Columns about the row's bookkeeping, after those about the business. */
const TECHNICAL = /^(created|(last_)?(updated|modified))_(at|on|date|time)$/;

/** Fetches what changed; returns a function that shows it. */
export async function readChanges(/** @type {AbortSignal} */ signal) {
  const batch = shownBatch();
  const asked = param("since") ?? "";
  const since = /^\d{1,15}$/.test(asked) && Number(asked) < batch
    ? Number(asked)
    : batch - 1;
  const answer = await get(`api/changes/${batch}?since=${since}`, signal);
  return {
    batch,
    snapshotTime: answer.snapshot_time,
    show: () => {
      write(
        $("changes-title"),
        since === batch - 1
          ? `Changes in batch ${figure(batch)}`
          : `Changes from batch ${figure(since + 1)} to ${figure(batch)}`,
      );
      const input = field("since");
      input.max = String(batch - 1);
      if (document.activeElement !== input) input.value = String(since);
      showChanges(answer);
    },
  };
}

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

/** @param {{ changes: Change[], cut: string[], most: number }} answer */
function showChanges({ changes, cut, most }) {
  $("changes-cut").hidden = cut.length === 0;
  write(
    $("changes-cut"),
    `Only the first ${most} changes by key are shown for each of: ${
      cut.join(", ")
    }.`,
  );
  const heads = ["Record", "", "Column", "Before", "After"];
  refill(
    $("changes-list"),
    make("p", { class: "summary" }, summaryOf(changes)),
    changes.length === 0 ? "" : scrolled(
      "Changes",
      make(
        "table",
        { class: "changes" },
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            ...heads.map((name) =>
              make("th", { scope: "col" }, name || "What")
            ),
          ),
        ),
        make("tbody", {}, ...changes.flatMap(rowsOfChange)),
      ),
    ),
  );
}

/** How many records were added, updated and deleted. */
function summaryOf(/** @type {Change[]} */ changes) {
  if (changes.length === 0) return "Nothing changed.";
  const counts = ["added", "updated", "deleted"].map((kind) => [
    changes.filter((change) => change.kind === kind).length,
    kind,
  ]);
  const parts = counts.filter(([count]) => count !== 0)
    .map(([count, kind]) => `${rounded(count ?? 0)} ${kind}`);
  return `${figure(changes.length)} ${
    changes.length === 1 ? "record" : "records"
  }: ${parts.join(", ")}`;
}

/** A row for each column that differs; a delete is one row. */
function rowsOfChange(/** @type {Change} */ change) {
  const { kind, columns } = change;
  const shownColumns = kind === "deleted"
    ? [/** @type {Column} */ ({ name: "", before: "", after: "" })]
    : sorted(columns);
  return shownColumns.map((column, index) =>
    make(
      "tr",
      { class: index === 0 ? "first" : "further" },
      make(
        "td",
        { "data-column": "record" },
        index === 0 ? historyButton(change) : "",
      ),
      make(
        "td",
        { class: `kind-${kind}`, "data-column": "what" },
        index === 0 ? kind : "",
      ),
      make("td", { "data-column": "column" }, titleOf(column)),
      make(
        "td",
        { class: "before", "data-column": "before" },
        ...valueOf(column, "before"),
      ),
      make("td", { "data-column": "after" }, ...valueOf(column, "after")),
    )
  );
}

/** What a column is called: what refers to something, by that. */
function titleOf(/** @type {Column} */ { name, names }) {
  return heading(names === undefined ? name : name.replace(/_id$/, ""));
}

/**
 * A value before or after; a name with the id that refers to it.
 * @param {Column} column
 * @param {"before" | "after"} when
 */
function valueOf({ name, names, ...values }, when, none = "") {
  const text = shownValue(name, values[when] ?? none);
  const named = names?.[when];
  return named == null || named === text
    ? [text]
    : [named, " ", make("span", { class: "muted id" }, text)];
}

function sorted(/** @type {Column[]} */ columns) {
  return columns.toSorted((one, other) =>
    Number(TECHNICAL.test(one.name)) - Number(TECHNICAL.test(other.name))
  );
}

/** A button with a record's name, which opens its history. */
function historyButton(/** @type {Change} */ { record, title, key }) {
  const name = `${title} ${key.join("/")}`;
  return make("button", {
    type: "button",
    class: "key",
    "aria-label": `History of ${name}`,
    onclick: () => go({ view: "record", record: recordAddress(record, key) }),
  }, name);
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
