// @ts-check
// The view of the pipeline.
import { go } from "./address.js";
import {
  batchesTable,
  healthOf,
  quantile,
  seconds,
  stripOf,
} from "./batches.js";
import { drawPlot } from "./charts.js";
import { barsOf } from "./durations.js";
import { $, make, refill, scrolled, tableOrWords, write } from "./elements.js";
import { failing, failurePanels, idleSeconds, waitsFor } from "./failures.js";
import { figure } from "./formats.js";
import {
  get,
  isFromFuture,
  newestBatch,
  secondsBehind,
  state,
} from "./state.js";
import { clock, duration, lately } from "./times.js";

/** @typedef {Record<string, string>} Row */

const MINUTES_A_DAY = 24 * 60;
/** Round durations, from a second to years. */
const STEPS_MINUTES = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds / 60),
  ...[1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720],
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((days) => days * MINUTES_A_DAY),
];

/** Fetches where the pipeline stands; returns a function that shows it. */
export async function readPipeline(/** @type {AbortSignal} */ signal) {
  const answer = await get("api/pipeline", signal);
  return {
    batch: newestBatch(),
    snapshotTime: undefined,
    show: () => showPipeline(answer),
  };
}

/** Shows how far the warehouse is behind now. */
export function showBehind() {
  $("behind").hidden = !$("empty").hidden;
  if (state.newest === null) return;
  const target = duration(state.targetMinutes * 60);
  const seconds = Math.max(0, secondsBehind());
  const isLate = isFromFuture() || seconds > state.targetMinutes * 60;
  const isGrowing = failing(state.stages).length > 0;
  $("behind").dataset.state = isLate ? "late" : isGrowing ? "growing" : "well";
  write($("behind-age"), isFromFuture() ? "?" : duration(seconds));
  write(
    $("behind-text"),
    isFromFuture()
      ? "behind the source is unknown: the newest snapshot's time is in the future, so the source's clock was wrong when it was taken."
      : isLate
      ? `behind the source: over the target of ${target}`
      : isGrowing
      ? `behind the source and growing; the target is ${target}`
      : `behind the source, within the target of ${target}`,
  );
}

/**
 * @typedef {{
 *   stage: string,
 *   batch: number | null,
 *   committed_at: string | null,
 *   pending: number | null,
 *   failure: {
 *     batch: number,
 *     since: string,
 *     at: string,
 *     message: string,
 *     hint: string | null,
 *     retryable: boolean,
 *   } | null,
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
  state.stages = stages;
  showBehind();
  $("pipeline").classList.toggle("unloaded", batches.length === 0);
  refill($("failures"), ...failurePanels(stages));
  refill($("stages"), ...stages.map((stage) => stageCard(stage, answer)));
  refill($("strip"), ...stripOf(batches));
  refill($("health"), ...healthOf(answer));
  showFreshness(freshness);
  refill($("checks"), checksOf(checks));
  refill(
    $("verification"),
    verification.length === 0
      ? make(
        "p",
        { class: "none" },
        "Not verified yet. Run ",
        make("code", {}, "./totesys verify"),
        ".",
      )
      : tableOrWords("Verification", verification, ""),
  );
  refill($("batches"), scrolled("Batches", batchesTable(batches)));
}

/** A stage by its own account: its state, batch, and duration. */
function stageCard(
  /** @type {Stage} */ stage,
  /** @type {{ stages: Stage[], batches: Row[] }} */ { stages, batches },
) {
  const [state, text] = stateOf(stage, waitsFor(stage, stages));
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
      `Batch ${figure(stage.batch)}, ${lately(stage.committed_at)}`,
    ),
    state !== "idle" ? "" : make(
      "p",
      { class: "muted" },
      "Is ",
      make("code", {}, "./totesys run"),
      ", or the schedule, still on?",
    ),
    stage.hidden === null
      ? ""
      : make("p", { class: "muted" }, `${stage.hidden}.`),
    took == null ? "" : make(
      "p",
      { class: "muted" },
      `Batch ${batches[0]?.batch} took ${seconds(took)}, median ${half}`,
    ),
    took == null ? "" : barsOf(batches, column),
  );
}

/**
 * @param {Stage} stage
 * @param {string | undefined} before The stage that it waits for.
 * @returns {[string, string]}
 */
function stateOf(stage, before) {
  const { hidden, failure, pending, batch } = stage;
  if (hidden !== null) return ["hidden", "? Not visible from here"];
  if (failure !== null) {
    return ["failed", `✗ Fails at batch ${figure(failure.batch)}`];
  }
  if (pending !== null && pending > 0) {
    return [
      "pending",
      `… ${figure(pending)} ${pending === 1 ? "batch" : "batches"} pending`,
    ];
  }
  const idle = idleSeconds(stage);
  if (idle > 0) return ["idle", `✗ No batch for ${duration(idle)}`];
  if (before !== undefined) return ["waiting", `… Waits for ${before}`];
  return batch === null ? ["empty", "Nothing yet"] : ["well", "✓ Up to date"];
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
    steps: STEPS_MINUTES,
    short: (value) => value === 0 ? "0" : minutes(value),
    // A target far above would press the line flat.
    ...(worst * 4 < target ? {} : {
      limit: { value: target, name: `target ${minutes(target)}` },
    }),
  });
}

/** The checks with findings, which lead to these; all are folded below. */
function checksOf(/** @type {Row[]} */ checks) {
  if (checks.length === 0) {
    return make("p", { class: "none" }, "No check has run yet.");
  }
  const failing = checks.filter(({ findings }) => Number(findings) > 0);
  const failed = tableOrWords("Checks with findings", failing, "", {
    label: "Findings",
    act: ({ batch }) => go({ view: "batch", batch }),
    // What an error kept from the warehouse has no view.
    offers: ({ batch }) => Number(batch) <= newestBatch(),
  });
  for (const row of failed.querySelectorAll("tbody tr")) {
    row.className = "failing";
  }
  const details = /** @type {HTMLDetailsElement | null} */ (
    $("checks").querySelector("details")
  );
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
    failing.length === 0 ? "" : failed,
    make(
      "details",
      details?.open ? { open: "" } : {},
      make("summary", {}, `Results of all ${figure(checks.length)} checks`),
      tableOrWords(
        "Checks",
        checks.map(({ first_keys: _, ...check }) => check),
        "",
      ),
    ),
  );
}
