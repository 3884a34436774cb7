// @ts-check
// The view of one batch.
import { param } from "./address.js";
import { count, seconds } from "./batches.js";
import { ganttOf } from "./durations.js";
import { $, make, refill, tableOrWords, write } from "./elements.js";
import { cell, figure, heading, rounded } from "./formats.js";
import { get, newestBatch } from "./state.js";
import { moment } from "./times.js";

/** @typedef {Record<string, string>} Row */

/** Columns of hashes and ids, below all others. */
const TECHNICAL = /(^|_)(id|sha256|hash)$/;

/** Fetches all that is known about the batch in the address. */
export async function readBatch(/** @type {AbortSignal} */ signal) {
  const batch = param("batch") ?? "";
  if ($("batch-title").textContent !== `Batch ${batch}`) {
    write($("batch-title"), `Batch ${batch}`);
    $("batch-details").replaceChildren();
  }
  const answer = await get(
    `api/batches/${encodeURIComponent(batch)}`,
    signal,
  );
  return {
    batch: newestBatch(),
    snapshotTime: undefined,
    show: () => showBatch(answer),
  };
}

/**
 * Shows a batch: what it did, its models, its findings, its ledger row.
 * @param {{
 *   ledger: Row,
 *   models: Row[],
 *   files: Row[],
 *   found: number,
 *   findings: Row[],
 * }} answer
 */
function showBatch({ ledger, models, files, found, findings }) {
  const entries = Object.entries(ledger).filter(([name]) => name !== "batch");
  const technical = entries.filter(([name]) => TECHNICAL.test(name));
  const others = entries.filter(([name]) => !TECHNICAL.test(name));
  const isSame = (/** @type {Row} */ { added, closed }) =>
    Number(added) === 0 && Number(closed) === 0;
  const changed = models.filter((row) => !isSame(row));
  const same = models.filter(isSame).map(({ model }) => model);
  refill(
    $("batch-details"),
    make(
      "p",
      { class: "summary" },
      `${count(ledger.rows)} rows, of which ${
        count(ledger.deletes)
      } deletes; loaded ${seconds(ledger.seconds_behind)} after its snapshot; ${
        found === 0
          ? "the checks found nothing"
          : found === 1
          ? "1 finding"
          : `${figure(found)} findings`
      }.`,
    ),
    make("h3", {}, "What the checks found"),
    found > findings.length
      ? make(
        "p",
        { class: "muted" },
        `The first ${rounded(findings.length)} of ${
          rounded(found)
        } that were recorded.`,
      )
      : "",
    tableOrWords("Findings", findings, "Nothing."),
    make("h3", {}, "Stages"),
    ganttOf(ledger),
    make("h3", {}, "Changes to each model"),
    tableOrWords("Versions by model", changed, "None."),
    same.length === 0 || changed.length === 0
      ? ""
      : make("p", { class: "muted" }, `Unchanged: ${same.join(", ")}.`),
    make("h3", {}, "Times and sizes"),
    ledgerOf(others),
    folded(
      "Files in its manifest",
      tableOrWords(
        "Files",
        files,
        "Not recorded for this batch: an older version loaded it.",
      ),
    ),
    folded("Technical", ledgerOf(technical)),
  );
}

/** A part that few people read; it stays open once it is opened. */
function folded(/** @type {string} */ name, /** @type {Node} */ content) {
  const before = [...$("batch-details").querySelectorAll("details")]
    .find((one) => one.querySelector("summary")?.textContent === name);
  return make(
    "details",
    before?.open ? { open: "" } : {},
    make("summary", {}, name),
    content,
  );
}

function ledgerOf(/** @type {[string, string][]} */ entries) {
  return make(
    "dl",
    { class: "ledger" },
    ...entries.flatMap(([name, value]) => [
      make("dt", {}, heading(name)),
      make(
        "dd",
        {},
        /_(at|time)$/.test(name) ? moment(value) : cell(name, value),
      ),
    ]),
  );
}
