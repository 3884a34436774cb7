// @ts-check
// The dashboard's page: which view is shown, when it is refreshed, and whether
// it is live.
import { follow, go, isTimed, onGo, param, view } from "./address.js";
import { readBatch } from "./batch.js";
import { readChanges } from "./changes.js";
import { askCompany, recordAddress } from "./company.js";
import { $, field, write } from "./elements.js";
import { keepLive } from "./events.js";
import { askStages } from "./failures.js";
import { applyFilters, showFilters } from "./filters.js";
import {
  askTimeline,
  goToBatch,
  isPassing,
  showMachine,
  startMachine,
} from "./time_machine.js";
import { readOverview } from "./overview.js";
import { readPipeline, showBehind } from "./pipeline.js";
import { offerRecords, readRecord } from "./record.js";
import { closeRows } from "./rows.js";
import {
  AnswerError,
  askNewest,
  pastBatch,
  shownBatch,
  state,
} from "./state.js";
import { showStatus } from "./status.js";
import { zoomStep } from "./strip_view.js";
import { shown, zone } from "./times.js";

/**
 * What a view shows: its batch, and the time of it if it has one.
 * @typedef {{
 *   batch: number,
 *   snapshotTime: string | undefined,
 *   show: () => void,
 * }} Answer
 */

/** @type {Record<string, (signal: AbortSignal) => Promise<Answer>>} */
const VIEWS = {
  overview: readOverview,
  changes: readChanges,
  record: readRecord,
  pipeline: readPipeline,
  batch: readBatch,
};
/** The views in the navigation, by their keys, and what belongs to them. */
const NAVIGATION = ["overview", "changes", "pipeline"];
const WITHIN = /** @type {Record<string, string>} */ ({
  record: "changes",
  batch: "pipeline",
});
const COMPANY = document.title;
/** How soon to try again after a failure. */
const RETRY_MS = 5_000;

/**
 * The refresh under way, or null.
 * @type {AbortController | null}
 */
let current = null;
/**
 * The server's turn at the newest event; null before the first.
 * @type {number | null}
 */
let heardTurn = null;
/**
 * The server's turn when what is shown was fetched.
 * @type {number | null}
 */
let shownTurn = null;
let refreshedAt = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let soon;
/** The address's view when it was last shown. */
let lastView = "";

/**
 * Refreshes the page for what the address says, and aborts the refresh under
 * way.
 */
async function refresh() {
  clearTimeout(soon);
  current?.abort();
  const own = new AbortController();
  current = own;
  let failed = false;
  $("main").setAttribute("aria-busy", "true");
  showShell();
  try {
    await Promise.all([askNewest(own.signal), askCompany(own.signal)]);
    offerRecords();
    const { turn } = state;
    $("empty").hidden = state.newest !== null;
    showShell();
    write($("zone"), `Times are in the time zone ${zone()}.`);
    // Before the first batch, the pipeline alone has something to show.
    if (state.newest !== null || view() === "pipeline") {
      const [answer] = await Promise.all([
        VIEWS[view()]?.(own.signal),
        askTimeline(own.signal),
      ]);
      if (own !== current || answer === undefined) return;
      answer.show();
      state.snapshotTime = answer.snapshotTime ?? "";
      // Only now does the page show what was asked for.
      document.body.dataset.batch = String(answer.batch);
      document.body.dataset.shown = view();
    }
    shownTurn = turn;
    tell(null);
    // Nothing that is shown waits for it.
    if (view() !== "pipeline") {
      askStages({ afterBatch: true }).then(showStatus, () => {});
    }
    showMachine();
    showTitle();
  } catch (error) {
    if (own !== current) return;
    failed = true;
    tell(error);
    const isFinal = error instanceof AnswerError && error.isFinal;
    if (!isFinal) soon = setTimeout(retry, RETRY_MS);
  } finally {
    if (own === current) {
      current = null;
      refreshedAt = Date.now();
      $("main").setAttribute("aria-busy", "false");
      if (!failed && isBehind()) retry();
    }
  }
}

/** Shows what went wrong until the next success. */
function tell(/** @type {unknown} */ error) {
  const isFinal = error instanceof AnswerError && error.isFinal;
  const message = error instanceof Error ? error.message : String(error);
  $("problem").hidden = error === null;
  const said = /[.!?]$/.test(message) ? message : `${message}.`;
  write(
    $("problem"),
    error === null
      ? ""
      : isFinal
      ? `This address has nothing to show: ${said}`
      : `The figures could not be updated: ${said} Trying again every few ` +
        "seconds.",
  );
  // What was not there will not come.
  $("main").classList.toggle("refused", isFinal);
  // An address that makes no sense is no fault of the figures.
  state.problem = error === null || isFinal ? null : message;
  showStatus();
}

/**
 * Takes an event's turn, and refreshes the page if it is behind. A refresh
 * under way is not aborted: if batches came faster than their figures, that
 * would never show any.
 */
function hear(/** @type {number} */ turn) {
  heardTurn = turn;
  if (isBehind()) retry();
}

/** Whether an event came after the server was asked for what is shown. */
function isBehind() {
  return heardTurn !== null && heardTurn !== shownTurn;
}

/** Retries, unless the page is hidden: it is refreshed when shown again. */
function retry() {
  if (!document.hidden && current === null && !isPassing()) refresh();
}

/** Shows what the address says, before any answer is there. */
function showShell() {
  const now = view();
  if (param("rows") === null || now !== "overview") closeRows();
  const isEmpty = state.newest === null && !$("empty").hidden;
  for (const section of document.querySelectorAll("[data-section]")) {
    const { dataset } = /** @type {HTMLElement} */ (section);
    /** @type {HTMLElement} */ (section).hidden = dataset.section !== now ||
      isEmpty && now !== "pipeline";
  }
  document.body.classList.toggle("wall", isOnWall());
  const of = WITHIN[now] ?? now;
  for (const name of NAVIGATION) {
    const link = /** @type {HTMLAnchorElement} */ ($(`to-${name}`));
    follow(link, { view: name });
    if (name === of) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  follow(/** @type {HTMLAnchorElement} */ ($("status")), { view: "pipeline" });
  $("machine").hidden = !isTimed() || isEmpty;
  showBehind();
  $("currency-bar").hidden = now !== "overview";
  showFilters();
  if (lastView !== "" && lastView !== now) {
    scrollTo(0, 0);
    // The keyboard goes on from the view that was asked for.
    if (WITHIN[now] !== undefined) $(`${now}-title`).focus();
  }
  if (lastView !== now) state.snapshotTime = "";
  lastView = now;
  showMachine();
  showTitle();
  showStatus();
}

/** Whether a screen shows the page that nobody touches. */
function isOnWall() {
  return param("wall") === "1";
}

function showTitle() {
  const names = /** @type {Record<string, string>} */ ({
    overview: "Overview",
    changes: "Changes",
    record: $("record-title").textContent || "History",
    pipeline: "Pipeline",
    batch: `Batch ${param("batch") ?? ""}`,
  });
  const isPast = pastBatch() !== null && isTimed() &&
    state.snapshotTime !== "";
  document.title = [
    names[view()],
    ...(isPast ? [shown(state.snapshotTime)] : []),
  ].join(", ") + ` · ${COMPANY}`;
}

/** The keys that work wherever no text is written. */
const KEYS = /** @type {Record<string, () => void>} */ ({
  1: () => go({ view: "overview" }),
  2: () => go({ view: "changes" }),
  3: () => go({ view: "pipeline" }),
  "[": () => goToBatch(shownBatch() - 1),
  "]": () => goToBatch(shownBatch() + 1),
  "+": () => zoomStep(true),
  "=": () => zoomStep(true),
  "-": () => zoomStep(false),
  Escape: () => go(isOnWall() ? { wall: null } : { at: null }),
  w: () => go({ wall: isOnWall() ? null : 1 }),
  "/": () => {
    if (view() !== "overview") return;
    /** @type {HTMLDetailsElement} */ ($("filters")).open = true;
    $("name").focus();
  },
  "?": () => /** @type {HTMLDialogElement} */ ($("help")).showModal(),
});

addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]") !== null) return;
  const isWriting = target instanceof HTMLInputElement ||
    target instanceof HTMLSelectElement;
  const act = KEYS[key];
  if (isWriting || act === undefined || event.defaultPrevented) return;
  event.preventDefault();
  act();
});
for (const id of ["from", "to", "name"]) {
  $(id).addEventListener("change", applyFilters);
}
$("since").addEventListener(
  "change",
  () => go({ since: field("since").value }),
);
$("record-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = field("record-key").value.split("/");
  go({
    view: "record",
    record: recordAddress(field("record-kind").value, key),
  });
});
$("to-record").addEventListener("click", () => go({ view: "record" }));
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
onGo(refresh);
startMachine({ tell, refresh });
refresh();
keepLive({ hear, retry, refreshedAt: () => refreshedAt });
