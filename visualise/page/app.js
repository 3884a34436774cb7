// The dashboard's page: which view is shown, when it is refreshed, and whether
// it is live.
import { readBusiness, showBusiness } from "./business.js";
import { readChanges } from "./changes.js";
import { resizeCharts } from "./charts.js";
import { $, write } from "./elements.js";
import { rounded, shown } from "./formats.js";
import { readBatch, readPipeline, showBehind } from "./pipeline.js";
import {
  askNewest,
  isFromFuture,
  newestBatch,
  route,
  secondsBehind,
  shownBatch,
  state,
  tell,
} from "./state.js";

const VIEWS = {
  business: readBusiness,
  changes: readChanges,
  pipeline: readPipeline,
  batch: readBatch,
};
const TICK_MS = 5_000;
/** How long to wait until a person has settled on a choice. */
const SETTLE_MS = 150;
/** The server sends something every 15 seconds. */
const SILENCE_MAX_MS = 40_000;
/** How often to refresh what no event announces: an age, or a rebuild. */
const AGE_MAX_MS = 60_000;

/** The refresh under way, or null. */
let current = null;
/** The server's turn at the newest event; null before the first. */
let heardTurn = null;
/** The server's turn when what is shown was fetched. */
let shownTurn = null;
let refreshedAt = 0;
let soon;
/** The stream of events; null if it is closed for good. */
let events = null;
let heardAt = 0;
let isPolling = false;

/**
 * Refreshes the page for what a person chose, and aborts the refresh under way.
 */
async function refresh() {
  clearTimeout(soon);
  current?.abort();
  const own = new AbortController();
  current = own;
  let failed = false;
  $("main").setAttribute("aria-busy", "true");
  try {
    await askNewest(own.signal);
    const { turn } = state;
    showStatus();
    $("empty").hidden = state.newest !== null;
    showSection();
    if (state.newest === null) write($("as-of"), "");
    else {
      showMachine();
      const { view } = route();
      const { batch, snapshotTime, show } = await VIEWS[view](own.signal);
      if (own !== current) return;
      show();
      // Only now does the page show what was asked for.
      write(
        $("as-of"),
        snapshotTime === undefined
          ? ""
          : `showing batch ${rounded(batch)}, as of ${shown(snapshotTime)}`,
      );
      document.body.dataset.batch = String(batch);
    }
    shownTurn = turn;
    tell(null);
  } catch (error) {
    if (own !== current) return;
    failed = true;
    tell(error);
    if (!error.isFinal) soon = setTimeout(retry, TICK_MS);
  } finally {
    if (own === current) {
      current = null;
      refreshedAt = Date.now();
      $("main").setAttribute("aria-busy", "false");
      if (!failed && isBehind()) retry();
    }
  }
}

/**
 * Takes an event's turn, and refreshes the page if it is behind. A refresh
 * under way is not aborted: if batches came faster than their figures, that
 * would never show any.
 */
function hear(turn) {
  heardTurn = turn;
  if (current === null && isBehind()) refresh();
}

/** Whether an event came after the server was asked for what is shown. */
function isBehind() {
  return heardTurn !== null && heardTurn !== shownTurn;
}

/** Retries, unless the page is hidden: it is refreshed when shown again. */
function retry() {
  if (!document.hidden && current === null) refresh();
}

/** Refreshes, once a person has settled on a choice. */
function refreshSoon() {
  $("main").setAttribute("aria-busy", "true");
  clearTimeout(soon);
  soon = setTimeout(refresh, SETTLE_MS);
}

function showStatus() {
  const seconds = secondsBehind();
  const isOld = seconds > state.targetMinutes * 60;
  const isStale = !state.up || isOld || isFromFuture();
  $("status").dataset.state = isStale ? "stale" : "live";
  write(
    $("status-text"),
    !state.up
      ? "Not connected: the figures may be old"
      : isFromFuture()
      ? "Age unknown: the newest snapshot's time is in the future"
      : isOld
      ? `Stale: the warehouse is ${rounded(seconds / 60)} minutes behind`
      : "Live",
  );
}

function showMachine() {
  const slider = $("slider");
  slider.max = String(newestBatch());
  slider.disabled = false;
  if (state.batch === null) slider.value = slider.max;
  write($("batch"), rounded(shownBatch()));
  $("now").hidden = state.batch === null;
}

/** Shows the view's section, or none while the warehouse has no batch. */
function showSection() {
  const { view } = route();
  const isEmpty = !$("empty").hidden;
  for (const section of document.querySelectorAll("[data-section]")) {
    section.hidden = isEmpty || section.dataset.section !== view;
  }
}

function showView() {
  const { view } = route();
  showSection();
  const of = view === "batch" ? "pipeline" : view;
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === of) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  // The pipeline is always shown as it is now.
  $("machine").hidden = of === "pipeline";
  // It still describes what was shown before.
  write($("as-of"), "");
  resizeCharts();
  refresh().then(resizeCharts);
}

/** Listens for events. The browser reconnects by itself where it can. */
function listen() {
  events?.close();
  if (document.hidden) {
    events = null;
    return;
  }
  const own = new EventSource("events");
  events = own;
  heardAt = Date.now();
  own.addEventListener("here", () => {
    heardAt = Date.now();
  });
  own.addEventListener("link", ({ data }) => {
    heardAt = Date.now();
    const { up, turn } = JSON.parse(data);
    state.up = up;
    showStatus();
    if (state.up) hear(turn);
  });
  for (const type of ["batch", "reset"]) {
    own.addEventListener(type, ({ data }) => {
      heardAt = Date.now();
      hear(JSON.parse(data).turn);
    });
  }
  own.onerror = () => {
    state.up = !state.streams;
    showStatus();
    if (own.readyState === EventSource.CLOSED && own === events) {
      events = null;
    }
  };
}

/** While the page is visible, checks that it is still live and up to date. */
async function tick() {
  if (document.hidden || isPolling) return;
  if (events === null) await poll();
  else if (Date.now() - heardAt > SILENCE_MAX_MS) {
    // The link was cut somewhere in between, unnoticed by either end.
    state.up = false;
    listen();
  }
  if (state.newest === null) return;
  showStatus();
  const isPipeline = route().view === "pipeline";
  if (isPipeline) showBehind();
  const isOld = Date.now() - refreshedAt > AGE_MAX_MS;
  if (isOld && (isPipeline || !state.streams)) retry();
}

/** Polls for the newest batch when events can't be streamed, or not now. */
async function poll() {
  const before = state.newest;
  isPolling = true;
  try {
    await askNewest();
  } catch {
    state.up = false;
    return;
  } finally {
    isPolling = false;
  }
  if (state.streams) return listen();
  const { newest } = state;
  if (newest?.batch !== before?.batch || newest?.lake_id !== before?.lake_id) {
    retry();
  }
}

$("slider").addEventListener("input", () => {
  const value = Number($("slider").value);
  state.batch = value === newestBatch() ? null : value;
  showMachine();
});
$("slider").addEventListener("change", refreshSoon);
$("now").addEventListener("click", () => {
  state.batch = null;
  refresh();
});
$("currency").addEventListener("change", showBusiness);
for (const id of ["from", "to", "counterparty"]) {
  $(id).addEventListener("change", refreshSoon);
}
$("since").addEventListener("change", () => {
  const since = Number($("since").value);
  state.since = Number.isInteger(since) && since >= 0 ? since : null;
  refreshSoon();
});
$("history-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const hash = `changes/${$("history-fact").value}/${$("history-key").value}`;
  if (location.hash === `#${hash}`) refresh();
  else location.hash = hash;
});
document.querySelector(".skip").addEventListener("click", (event) => {
  // The fragment of the address names the view, so the link can't use it.
  event.preventDefault();
  $("main").focus();
});
addEventListener("hashchange", showView);
addEventListener("resize", resizeCharts);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
document.addEventListener("visibilitychange", () => {
  // Browsers limit the streams to a server: hidden pages give theirs up.
  if (document.hidden) {
    events?.close();
    events = null;
  } else if (events === null) tick();
});
setInterval(tick, TICK_MS);
showView();
listen();
