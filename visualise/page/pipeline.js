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
/** A day of batches at 15 minutes. */
const STRIP_BATCHES = 96;

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

/**
 * @typedef {{
 *   stage: string,
 *   batch: number | null,
 *   committed_at: string | null,
 *   waiting: number | null,
 *   failure: { batch: number, since: string, message: string, hint: string | null } | null,
 *   hidden: string | null,
 * }} Stage
 */

/**
 * @param {{
 *   stages: Stage[],
 *   freshness: Row[],
 *   batches: Row[],
 *   checks: Row[],
 *   verification: Row[],
 *   quarantined: number | null,
 * }} answer
 */
function showPipeline(answer) {
  const { stages, freshness, batches, checks, verification } = answer;
  showBehind();
  refill($("stages"), ...stages.map((stage) => stageCard(stage, batches)));
  refill($("strip"), ...stripOf(batches));
  refill($("health"), ...healthOf(answer));
  showFreshness(freshness);
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

/** A stage by its own account: its state, batch, and duration. */
function stageCard(/** @type {Stage} */ stage, /** @type {Row[]} */ batches) {
  const [state, text] = stateOf(stage);
  const column = `${stage.stage}_seconds`;
  const took = batches[0]?.[column];
  const half = quantile(batches, column, 0.5);
  return make(
    "article",
    { class: "stage", "data-stage": stage.stage, "data-state": state },
    make("h3", {}, stage.stage),
    make("p", { class: "state" }, text),
    stage.batch === null ? "" : make(
      "p",
      {},
      `Batch ${figure(stage.batch)}, ${clock(stage.committed_at)}`,
    ),
    stage.failure === null ? "" : make(
      "p",
      { class: "bad" },
      `${stage.failure.message}${
        stage.failure.hint === null ? "" : ` → ${stage.failure.hint}`
      }`,
    ),
    stage.hidden === null
      ? ""
      : make("p", { class: "muted" }, `${stage.hidden}.`),
    took == null ? "" : make(
      "p",
      { class: "muted" },
      `Batch ${batches[0]?.batch} took ${seconds(took)}, median ${half}`,
    ),
  );
}

/** @returns {[string, string]} */
function stateOf(/** @type {Stage} */ { hidden, failure, waiting, batch }) {
  if (hidden !== null) return ["hidden", "? Not visible from here"];
  if (failure !== null) {
    return [
      "failed",
      `✗ Failing at batch ${figure(failure.batch)} since ${
        moment(failure.since)
      }`,
    ];
  }
  if (waiting !== null && waiting > 0) {
    return [
      "waiting",
      `… ${figure(waiting)} ${waiting === 1 ? "batch waits" : "batches wait"}`,
    ];
  }
  return batch === null ? ["empty", "Nothing yet"] : ["well", "✓ Up to date"];
}

/**
 * The newest batches as a strip, the oldest first: high by rows, marked where a
 * check found something or the load was late. The table below has the same for
 * the keyboard.
 */
function stripOf(/** @type {Row[]} */ batches) {
  const target = state.targetMinutes * 60;
  const newest = batches.slice(0, STRIP_BATCHES).reverse();
  const logOf = (/** @type {Row} */ row) => Math.log10(1 + Number(row.rows));
  const most = Math.max(...newest.map(logOf), 1);
  return newest.map((row) => {
    const found = Number(row.findings);
    const isLate = Number(row.seconds_behind) > target;
    const link = make("a", {
      class: `${found > 0 ? "found" : "well"}${isLate ? " late" : ""}`,
      tabindex: "-1",
      title: [
        `Batch ${row.batch}, ${clock(row.snapshot_time)}`,
        `${count(row.rows)} rows`,
        `${seconds(row.seconds_behind)} behind${isLate ? ", late" : ""}`,
        found === 0 ? "checks found nothing" : `${figure(found)} findings`,
      ].join(" · "),
    });
    link.style.height = `${(20 + logOf(row) / most * 80).toFixed(0)}%`;
    follow(link, { view: "batch", batch: row.batch ?? "" });
    return link;
  });
}

/**
 * What else says whether all is well, in one line.
 * @param {{
 *   batches: Row[],
 *   checks: Row[],
 *   verification: Row[],
 *   quarantined: number | null,
 * }} answer
 */
function healthOf({ batches, checks, verification, quarantined }) {
  const passing = checks.filter(({ findings }) => Number(findings) === 0);
  const differences = verification.reduce(
    (sum, row) => sum + Number(row.differences),
    0,
  );
  const [verified] = verification;
  const age = (Date.now() - Date.parse(isoOf(verified?.verified_at))) / 1000;
  const entry = (
    /** @type {string} */ name,
    /** @type {string} */ text,
    /** @type {boolean} */ isWell,
  ) =>
    make(
      "div",
      {},
      make("dt", {}, name),
      make("dd", { class: isWell ? "" : "bad" }, text),
    );
  return [
    entry(
      "Checks",
      `${figure(passing.length)} of ${figure(checks.length)} pass`,
      passing.length === checks.length,
    ),
    entry(
      "Verified",
      verified === undefined
        ? "not yet"
        : `${duration(Math.max(0, age))} ago, ${figure(differences)} ${
          differences === 1 ? "difference" : "differences"
        }`,
      differences === 0,
    ),
    entry(
      "Quarantine",
      quarantined === null
        ? "unknown"
        : `${figure(quarantined)} ${quarantined === 1 ? "row" : "rows"}`,
      quarantined === 0,
    ),
    entry(
      "Behind at load",
      `median ${quantile(batches, "seconds_behind", 0.5)}, 95 % within ${
        quantile(batches, "seconds_behind", 0.95)
      }`,
      true,
    ),
  ];
}

function isoOf(/** @type {string | undefined} */ time) {
  return (time ?? "").replace(" ", "T").replace(/[+]00$/, "Z");
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

/**
 * The value of a column of seconds that a share of the rows does not exceed.
 * @param {Row[]} rows
 * @param {string} column
 * @param {number} share
 */
function quantile(rows, column, share) {
  const values = rows.map((row) => row[column])
    .filter((value) => value != null).map(Number).sort((a, b) => a - b);
  const value = values[Math.ceil(values.length * share) - 1];
  return value === undefined ? "–" : duration(value);
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
