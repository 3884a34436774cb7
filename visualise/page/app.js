// The page of the dashboard: which view is shown, when it is brought up to date,
// and whether it is live.
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
  PROMISE_MINUTES,
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
/** A person moves on until then. */
const SETTLE_MS = 150;
/** The server says something every 15 seconds. */
const SILENCE_MAX_MS = 40_000;
/** What nobody tells of is asked for then: an age, or a rebuild. */
const AGE_MAX_MS = 60_000;
const STALE_SECONDS = PROMISE_MINUTES * 60;

/** What is under way; null: nothing. */
let current = null;
/** Whether something came meanwhile. */
let again = false;
let refreshedAt = 0;
let soon;
/** The stream of what happens; null: it is closed for good. */
let events = null;
let heardAt = 0;
let isPolling = false;

/**
 * Brings the page up to date with what a person chose: what is under way is
 * given up for it.
 */
async function refresh() {
  clearTimeout(soon);
  current?.abort();
  const own = new AbortController();
  current = own;
  again = false;
  $("main").setAttribute("aria-busy", "true");
  try {
    await askNewest(own.signal);
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
      // What is shown, which is not what is asked for until this moment.
      write(
        $("as-of"),
        snapshotTime === undefined
          ? ""
          : `showing batch ${rounded(batch)}, as of ${shown(snapshotTime)}`,
      );
      document.body.dataset.batch = String(batch);
    }
    tell(null);
  } catch (error) {
    if (own !== current) return;
    tell(error);
    if (!error.isFinal) soon = setTimeout(retry, TICK_MS);
  } finally {
    if (own === current) {
      current = null;
      refreshedAt = Date.now();
      $("main").setAttribute("aria-busy", "false");
      if (again) refresh();
    }
  }
}

/**
 * Brings the page up to date with what has happened: after what is under way,
 * or batches that come faster than their figures would keep all from sight.
 */
function follow() {
  if (current === null) refresh();
  else again = true;
}

/** Once somebody looks at the page again, it is refreshed anyway. */
function retry() {
  if (!document.hidden) follow();
}

/** As refresh, once a person has settled. */
function refreshSoon() {
  $("main").setAttribute("aria-busy", "true");
  clearTimeout(soon);
  soon = setTimeout(refresh, SETTLE_MS);
}

function showStatus() {
  const seconds = secondsBehind();
  const isStale = !state.up || seconds > STALE_SECONDS || isFromFuture();
  $("status").dataset.state = isStale ? "stale" : "live";
  write(
    $("status-text"),
    !state.up
      ? "Not connected: the figures may be old"
      : isFromFuture()
      ? "Age unknown: the newest snapshot's time is in the future"
      : seconds > STALE_SECONDS
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

/** Of a warehouse without a batch no view is shown. */
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
  // The pipeline is shown as it is now.
  $("machine").hidden = of === "pipeline";
  // Of what this view showed before, if anything.
  write($("as-of"), "");
  resizeCharts();
  refresh().then(resizeCharts);
}

/** Hears what happens. The browser connects again by itself where it can. */
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
    state.up = JSON.parse(data).up;
    showStatus();
    if (state.up) follow();
  });
  for (const type of ["batch", "reset"]) {
    own.addEventListener(type, () => {
      heardAt = Date.now();
      follow();
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

/** Looks whether all is still as it seems, while somebody looks at the page. */
async function tick() {
  if (document.hidden || isPolling) return;
  if (events === null) await poll();
  else if (Date.now() - heardAt > SILENCE_MAX_MS) {
    // The link was cut somewhere in between, where nobody tells.
    state.up = false;
    listen();
  }
  if (state.newest === null) return;
  showStatus();
  const isPipeline = route().view === "pipeline";
  if (isPipeline) showBehind();
  const isOld = Date.now() - refreshedAt > AGE_MAX_MS;
  if (isOld && (isPipeline || !state.streams)) follow();
}

/** Asks for the newest batch where nothing is streamed, or not for now. */
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
    follow();
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
  // The address names the view.
  event.preventDefault();
  $("main").focus();
});
addEventListener("hashchange", showView);
addEventListener("resize", resizeCharts);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
document.addEventListener("visibilitychange", () => {
  // A browser lets few pages of one server stream: those nobody sees don't.
  if (document.hidden) {
    events?.close();
    events = null;
  } else if (events === null) tick();
});
setInterval(tick, TICK_MS);
showView();
listen();
