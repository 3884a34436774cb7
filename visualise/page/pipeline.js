// @ts-check
// The views of the pipeline, and of one of its batches.
import { follow, param } from "./address.js";
import { drawPlot } from "./charts.js";
import { $, make, refill, scrolled, tableOrWords, write } from "./elements.js";
import {
  cell,
  clock,
  duration,
  figure,
  heading,
  moment,
  rounded,
  shown,
} from "./formats.js";
import {
  get,
  isFromFuture,
  newestBatch,
  secondsBehind,
  state,
} from "./state.js";

/** @typedef {Record<string, string>} Row */

/** Columns of hashes and ids, below all others. */
const TECHNICAL = /(^|_)(id|sha256|hash)$/;
const MINUTES_A_DAY = 24 * 60;

/** Fetches where the pipeline stands; returns a function that shows it. */
export async function readPipeline(/** @type {AbortSignal} */ signal) {
  const answer = await get("api/pipeline", signal);
  return {
    batch: newestBatch(),
    snapshotTime: undefined,
    show: () => showPipeline(answer),
  };
}

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

/** Shows how far the warehouse is behind now. */
export function showBehind() {
  const target = duration(state.targetMinutes * 60);
  const seconds = Math.max(0, secondsBehind());
  const isLate = isFromFuture() || seconds > state.targetMinutes * 60;
  $("behind").dataset.state = isLate ? "late" : "well";
  write($("behind-age"), isFromFuture() ? "?" : duration(seconds));
  write(
    $("behind-text"),
    isFromFuture()
      ? "behind the source is unknown: the newest snapshot's time is in the future, so the source's clock was wrong when it was taken."
      : isLate
      ? `behind the source: over the target of ${target}`
      : `behind the source, within the target of ${target}`,
  );
}

/** @param {Record<string, Row[]>} answer */
function showPipeline(
  { freshness = [], batches = [], checks = [], verification = [] },
) {
  showBehind();
  showFreshness(freshness);
  refill($("stages"), scrolled("Stages", stagesTable(batches)));
  refill($("checks"), checksOf(checks));
  refill(
    $("verification"),
    tableOrWords(
      "Verification",
      verification,
      "Not verified yet. Run `deno task verify`.",
    ),
  );
  refill($("batches"), scrolled("Batches", batchesTable(batches)));
}

function showFreshness(/** @type {Row[]} */ rows) {
  const times = rows.map(({ at = "" }) => Date.parse(at) / 60_000);
  const end = Math.max(...times, 0);
  const start = Math.max(Math.min(...times), end - MINUTES_A_DAY);
  const values = rows.map(({ minutes }) => Number(minutes));
  const worst = Math.max(...values, 0);
  const at = rows[values.indexOf(worst)]?.at;
  const minutes = (/** @type {number} */ value) => duration(value * 60);
  const target = state.targetMinutes;
  drawPlot("pipeline-charts", "freshness", {
    title: at === undefined
      ? "Freshness, last 24 h"
      : `Freshness, last 24 h: worst ${minutes(worst)} at ${
        clock(at)
      }, target ${minutes(target)}`,
    rows,
    none: "Nothing was loaded in the last 24 hours.",
    file: `freshness-batch-${newestBatch()}`,
  }, {
    label:
      "How far the warehouse was behind the source in the last 24 hours. " +
      "The arrow keys move through it, the button Table shows all figures.",
    type: "line",
    points: rows.map((row) => clock(row.at)),
    at: times.map((time) => (time - start) / Math.max(1, end - start)),
    series: [{ name: "behind", look: "main", values }],
    format: minutes,
    short: (value) => value === 0 ? "0" : minutes(value),
    // A target far above would press the line flat.
    ...(worst * 4 < target ? {} : {
      limit: { value: target, name: `target ${minutes(target)}` },
    }),
  });
}

/** A row for each stage, about the newest batch that was loaded. */
function stagesTable(/** @type {Row[]} */ [last = {}, ...before]) {
  const all = [last, ...before];
  const stages = [
    {
      stage: "extract",
      done_at: last.extracted_at,
      seconds: last.extract_seconds,
      median_seconds: median(all, "extract_seconds"),
      rows: last.extracted_rows,
      bytes: last.extracted_bytes,
    },
    {
      stage: "transform",
      done_at: last.transformed_at,
      seconds: last.transform_seconds,
      median_seconds: median(all, "transform_seconds"),
      rows: last.rows,
      bytes: last.bytes,
    },
    {
      stage: "load",
      done_at: last.loaded_at,
      seconds: last.load_seconds,
      median_seconds: median(all, "load_seconds"),
      rows: last.rows,
      bytes: last.bytes,
    },
  ];
  return table(
    ["stage", "last batch", "done at", "took", "median", "rows", "bytes"],
    stages.map((stage) => [
      stage.stage,
      last.batch,
      shown(stage.done_at),
      seconds(stage.seconds),
      seconds(stage.median_seconds),
      count(stage.rows),
      count(stage.bytes),
    ]),
  );
}

/** The middle value of a column of seconds. */
function median(/** @type {Row[]} */ rows, /** @type {string} */ column) {
  const values = rows.map((row) => row[column])
    .filter((value) => value != null).map(Number).sort((a, b) => a - b);
  const middle = values[Math.floor((values.length - 1) / 2)];
  return middle === undefined ? undefined : String(middle);
}

function seconds(/** @type {string | null | undefined} */ value) {
  return value == null ? "–" : duration(Number(value));
}

function count(/** @type {string | null | undefined} */ value) {
  return value == null ? "–" : figure(value);
}

/**
 * A table of texts and elements; the first two columns are no figures.
 * @param {string[]} heads
 * @param {(Node | string | undefined)[][]} rows
 */
function table(heads, rows) {
  const look = (/** @type {number} */ index) => index < 3 ? "" : "number";
  return make(
    "table",
    {},
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        ...heads.map((name, index) =>
          make("th", { scope: "col", class: look(index) }, name)
        ),
      ),
    ),
    make(
      "tbody",
      {},
      ...rows.map((row) =>
        make(
          "tr",
          {},
          ...row.map((value, index) =>
            make(
              "td",
              { class: look(index), "data-column": heads[index] },
              value,
            )
          ),
        )
      ),
    ),
  );
}

function batchesTable(/** @type {Row[]} */ batches) {
  return table(
    [
      "batch",
      "snapshot",
      "loaded",
      "behind",
      "rows",
      "deletes",
      "extract",
      "transform",
      "load",
      "findings",
    ],
    batches.map((row) => {
      const link = make("a", { "aria-label": `Batch ${row.batch}` });
      link.textContent = row.batch ?? "";
      follow(link, { view: "batch", batch: row.batch ?? "" });
      return [
        link,
        shown(row.snapshot_time),
        shown(row.loaded_at),
        seconds(row.seconds_behind),
        count(row.rows),
        count(row.deletes),
        seconds(row.extract_seconds),
        seconds(row.transform_seconds),
        seconds(row.load_seconds),
        count(row.findings),
      ];
    }),
  );
}

/** The checks; those with findings stand out, and come first. */
function checksOf(/** @type {Row[]} */ checks) {
  if (checks.length === 0) {
    return make("p", { class: "none" }, "No check has run yet.");
  }
  const failing = checks.filter(({ findings }) => Number(findings) > 0);
  const list = tableOrWords("Checks", checks, "");
  for (const [index, row] of [...list.querySelectorAll("tbody tr")].entries()) {
    if (Number(checks[index]?.findings) > 0) row.className = "failing";
  }
  return make(
    "div",
    {},
    make(
      "p",
      { class: failing.length === 0 ? "well" : "bad" },
      failing.length === 0
        ? `✓ All ${figure(checks.length)} pass`
        : `✗ ${figure(failing.length)} of ${
          figure(checks.length)
        } found something`,
    ),
    list,
  );
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
    make("h3", {}, "Changes to each model"),
    tableOrWords("Versions by model", models, "None."),
    make("h3", {}, "Times and sizes"),
    ledgerOf(others),
    make("h3", {}, "Files in its manifest"),
    tableOrWords(
      "Files",
      files,
      "Not recorded for this batch: an older version loaded it.",
    ),
    make("h3", {}, "Technical"),
    ledgerOf(technical),
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
