// @ts-check
// The view of what changed between two batches.
import { go, param } from "./address.js";
import { ourCompany, recordAddress, recordTitle } from "./company.js";
import { isTechnical, termOf, valueOf } from "./differences.js";
import { $, field, make, refill, scrolled, write } from "./elements.js";
import { figure, rounded } from "./formats.js";
import { formatsOf, signed } from "./measures.js";
import { get, shownBatch } from "./state.js";
import { moment, shown } from "./times.js";

/** @typedef {import("./differences.js").Column} Column */
/**
 * @typedef {{
 *   record: string,
 *   title: string,
 *   key: string[],
 *   kind: string,
 *   columns: Column[],
 * }} Change
 */
/**
 * By how much the changes moved a subject's sum of money, by currency.
 * @typedef {{
 *   subject: string,
 *   sums: { currency: string, value: string }[],
 * }} Worth
 */

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
      write($("changes-times"), timesOf(answer));
      const input = field("since");
      input.max = String(batch - 1);
      if (document.activeElement !== input) input.value = String(since);
      showChanges(answer);
    },
  };
}

/**
 * Between which moments it changed.
 * @param {{ snapshot_time: string, since_time: string | null }} answer
 */
function timesOf({ snapshot_time, since_time }) {
  return since_time === null
    ? `Up to ${moment(snapshot_time)}`
    : `Between ${shown(since_time)} and ${moment(snapshot_time)}`;
}

/**
 * @param {{
 *   changes: Change[],
 *   cut: string[],
 *   most: number,
 *   worth: Worth[],
 * }} answer
 */
function showChanges({ changes, cut, most, worth }) {
  $("changes-cut").hidden = cut.length === 0;
  write(
    $("changes-cut"),
    `Only the first ${most} changes by key are shown for each of: ${
      cut.join(", ")
    }.`,
  );
  const of = param("of");
  const chosen = changes.filter(({ record }) => of === null || record === of);
  const heads = ["Record", "What", "Columns"];
  refill(
    $("changes-list"),
    make(
      "p",
      { class: "summary" },
      [summaryOf(chosen), ...worthOf(worth, of)].join("; "),
    ),
    kindsOf(changes, of),
    chosen.length === 0 ? "" : scrolled(
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
            ...heads.map((name) => make("th", { scope: "col" }, name)),
          ),
        ),
        make("tbody", {}, ...chosen.map(rowOfChange)),
      ),
    ),
  );
}

/**
 * The kinds of the records, with how many there are; one chooses a kind.
 * @param {Change[]} changes
 * @param {string | null} chosen
 */
function kindsOf(changes, chosen) {
  const kinds = Map.groupBy(changes, ({ record }) => record);
  if (kinds.size < 2 && chosen === null) return "";
  const offer = (
    /** @type {string | null} */ record,
    /** @type {string} */ name,
    /** @type {number} */ count,
  ) =>
    make("button", {
      type: "button",
      class: "chip",
      "aria-pressed": String(record === chosen),
      "data-kind": record ?? "all",
      onclick: () => go({ of: record }),
    }, `${name} ${figure(count)}`);
  return make(
    "div",
    { class: "chips", role: "group", "aria-label": "Kind of record" },
    offer(null, "all", changes.length),
    ...[...kinds].map(([record, own]) =>
      offer(record, own[0]?.title ?? record, own.length)
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

/**
 * What the changes were worth, of one kind of record or of all: in the currency
 * of the address, or else in each, for they are never added up.
 * @param {Worth[]} worth
 * @param {string | null} of
 */
function worthOf(worth, of) {
  const chosen = param("currency");
  return ourCompany().subjects.flatMap((subject) => {
    if (of !== null && subject.record !== of) return [];
    const sums = (worth.find((one) => one.subject === subject.name)?.sums ?? [])
      .filter(({ currency, value }) =>
        Number(value) && (chosen === null || currency === chosen)
      );
    const moved = sums.map(({ currency, value }) =>
      signed(Number(value), formatsOf(subject, subject.main, currency))
    );
    const [card] = subject.cards;
    // Each of several cards has a part of the records.
    const title = card === undefined || card.only !== undefined
      ? recordTitle(subject.record)
      : card.title;
    return moved.length === 0 ? [] : [`${title} ${moved.join(", ")}`];
  });
}

/** A row for each record, with its columns that differ. */
function rowOfChange(/** @type {Change} */ change) {
  const { kind, columns } = change;
  return make(
    "tr",
    {},
    make("td", {}, historyButton(change)),
    make("td", { class: `kind-${kind}` }, kind),
    make(
      "td",
      {},
      kind === "deleted" ? "" : make(
        "dl",
        { class: "differences" },
        ...telling(columns, change).map((column) =>
          differenceOf(column, change)
        ),
      ),
    ),
  );
}

/**
 * The columns about the business, without the key of a new record; those of
 * bookkeeping if there are no others. The record's history has all.
 * @param {Column[]} columns
 * @param {Change} change
 */
function telling(columns, { kind, key }) {
  const isKey = (
    /** @type {Column} */ { after },
    /** @type {number} */ index,
  ) => kind === "added" && index < key.length && String(after) === key[index];
  const own = columns.filter((column, index) =>
    !isTechnical(column) && !isKey(column, index)
  );
  return own.length === 0 ? columns : own;
}

/** A column before and after; of a record that is new, as it is. */
function differenceOf(
  /** @type {Column} */ column,
  /** @type {Change} */ { kind, record },
) {
  return make(
    "div",
    {},
    termOf(column, record),
    " ",
    make(
      "dd",
      {},
      ...(kind === "updated"
        ? [make("del", {}, ...valueOf(column, "before", "nothing")), " "]
        : []),
      make("ins", {}, ...valueOf(column, "after", "nothing")),
    ),
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
