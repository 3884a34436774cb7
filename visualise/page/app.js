// @ts-check
// The dashboard's page: which view is shown, when it is refreshed, and whether
// it is live.
import { follow, go, onGo, param, view } from "./address.js";
import { readBatch } from "./batch.js";
import { offerRecords, readChanges, readRecord } from "./changes.js";
import { askCompany, recordAddress } from "./company.js";
import { $, field, write } from "./elements.js";
import { applyFilters, showFilters } from "./filters.js";
import { duration, figure, moment, shown, zone } from "./formats.js";
import { readOverview } from "./overview.js";
import { readPipeline, showBehind } from "./pipeline.js";
import { closeRows } from "./rows.js";
import {
  AnswerError,
  askNewest,
  get,
  isFromFuture,
  newestBatch,
  pastBatch,
  secondsBehind,
  shownBatch,
  state,
} from "./state.js";

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
/** The views that can show the past. */
const TIMED = ["overview", "changes"];
const COMPANY = document.title;
const TICK_MS = 5_000;
/** How long to wait until a person has settled on a choice. */
const SETTLE_MS = 150;
/** The server sends something every 15 seconds. */
const SILENCE_MAX_MS = 40_000;
/** How often to refresh what no event announces: an age, or a rebuild. */
const AGE_MAX_MS = 60_000;
/** No event announces what extract and transform did. */
const PIPELINE_AGE_MAX_MS = 15_000;

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
/**
 * The stream of events; null if it is closed for good.
 * @type {EventSource | null}
 */
let events = null;
let heardAt = 0;
let isPolling = false;
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
    if (state.newest !== null) {
      write($("zone"), `Times are in the time zone ${zone()}.`);
      const answer = await VIEWS[view()]?.(own.signal);
      if (own !== current || answer === undefined) return;
      answer.show();
      state.snapshotTime = answer.snapshotTime ?? "";
      // Only now does the page show what was asked for.
      document.body.dataset.batch = String(answer.batch);
      document.body.dataset.shown = view();
    }
    shownTurn = turn;
    tell(null);
    showMachine();
    showTitle();
  } catch (error) {
    if (own !== current) return;
    failed = true;
    tell(error);
    const isFinal = error instanceof AnswerError && error.isFinal;
    if (!isFinal) soon = setTimeout(retry, TICK_MS);
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
  write(
    $("problem"),
    error === null
      ? ""
      : `The figures could not be updated: ${message}${
        /[.!?]$/.test(message) ? "" : "."
      }${isFinal ? "" : " Trying again every few seconds."}`,
  );
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

/** Shows what the address says, before any answer is there. */
function showShell() {
  const now = view();
  if (param("rows") === null || now !== "overview") closeRows();
  const isEmpty = state.newest === null && !$("empty").hidden;
  for (const section of document.querySelectorAll("[data-section]")) {
    const { dataset } = /** @type {HTMLElement} */ (section);
    /** @type {HTMLElement} */ (section).hidden = isEmpty ||
      dataset.section !== now;
  }
  const of = WITHIN[now] ?? now;
  for (const name of NAVIGATION) {
    const link = /** @type {HTMLAnchorElement} */ ($(`to-${name}`));
    follow(link, { view: name });
    if (name === of) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  follow(/** @type {HTMLAnchorElement} */ ($("status")), { view: "pipeline" });
  $("machine").hidden = !TIMED.includes(now);
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

/** The pill: the worst of what there is to say. */
function showStatus() {
  const [level, text, age] = statusOf();
  const pill = $("status");
  pill.dataset.state = level;
  write($("status-text"), text);
  write($("status-age"), age);
}

/** @returns {[string, string, string]} */
function statusOf() {
  const seconds = secondsBehind();
  if (state.up === null) return ["unknown", "Connecting…", ""];
  if (!state.up) return ["stale", "Offline: the figures may be old", ""];
  if (state.problem !== null) return ["stale", "Not up to date", ""];
  if (isFromFuture()) return ["stale", "Age unknown", ""];
  if (seconds > state.targetMinutes * 60) {
    return ["stale", "Stale", duration(seconds)];
  }
  if (TIMED.includes(view()) && pastBatch() !== null) {
    return ["past", "Past", `batch ${figure(shownBatch())}`];
  }
  const failing = Number(state.newest?.checks_failing ?? 0);
  if (failing > 0) {
    return [
      "failing",
      failing === 1 ? "1 check fails" : `${figure(failing)} checks fail`,
      "",
    ];
  }
  return [
    "live",
    "Live",
    state.newest === null ? "" : duration(
      Math.max(0, seconds),
    ),
  ];
}

function showMachine() {
  const slider = field("slider");
  const past = pastBatch();
  if (newestBatch() > 0) {
    slider.max = String(newestBatch());
    slider.disabled = newestBatch() === 1;
    slider.value = String(shownBatch());
    write($("batch"), figure(shownBatch()));
  }
  const isPast = past !== null && TIMED.includes(view());
  document.body.classList.toggle("in-past", isPast);
  $("now").hidden = !isPast;
  write(
    $("as-of"),
    state.snapshotTime === "" ? "" : `as of ${moment(state.snapshotTime)}`,
  );
}

function showTitle() {
  const names = /** @type {Record<string, string>} */ ({
    overview: "Overview",
    changes: "Changes",
    record: $("record-title").textContent || "History",
    pipeline: "Pipeline",
    batch: `Batch ${param("batch") ?? ""}`,
  });
  const isPast = pastBatch() !== null && TIMED.includes(view()) &&
    state.snapshotTime !== "";
  document.title = [
    names[view()],
    ...(isPast ? [shown(state.snapshotTime)] : []),
  ].join(", ") + ` · ${COMPANY}`;
}

/** Goes to the newest batch whose snapshot was taken by a time. */
async function goToTime() {
  const input = field("moment");
  if (input.value === "") return;
  try {
    const time = new Date(input.value).toISOString();
    const { batch } = await get(`api/at?${new URLSearchParams({ time })}`);
    input.setCustomValidity(
      batch === null ? "No batch was taken by then." : "",
    );
    if (!input.reportValidity()) return;
    input.value = "";
    goToBatch(Number(batch));
  } catch (error) {
    tell(error);
  }
}

/** Goes to a batch, or to now if it is the newest. */
function goToBatch(/** @type {number} */ batch) {
  const to = Math.max(1, Math.min(newestBatch(), batch));
  go({ at: to === newestBatch() ? null : to });
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
    if (up) hear(turn);
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
  const isPipeline = view() === "pipeline";
  if (isPipeline) showBehind();
  const isOld = Date.now() - refreshedAt >
    (isPipeline ? PIPELINE_AGE_MAX_MS : AGE_MAX_MS);
  if (isOld && (isPipeline || !state.streams)) retry();
}

/** Polls for the newest batch when events can't be streamed, or not now. */
async function poll() {
  const before = state.newest;
  isPolling = true;
  try {
    await askNewest(AbortSignal.timeout(SILENCE_MAX_MS));
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

/** The keys that work wherever no text is written. */
const KEYS = /** @type {Record<string, () => void>} */ ({
  1: () => go({ view: "overview" }),
  2: () => go({ view: "changes" }),
  3: () => go({ view: "pipeline" }),
  "[": () => goToBatch(shownBatch() - 1),
  "]": () => goToBatch(shownBatch() + 1),
  Escape: () => go({ at: null }),
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
field("slider").addEventListener("input", () => {
  // One truth: what is chosen, not what is still shown.
  write($("batch"), figure(field("slider").value));
  write($("as-of"), "");
});
field("slider").addEventListener("change", () => {
  clearTimeout(soon);
  $("main").setAttribute("aria-busy", "true");
  soon = setTimeout(() => goToBatch(Number(field("slider").value)), SETTLE_MS);
});
// By Enter, since a date is written in several steps.
$("moment").addEventListener("keydown", (event) => {
  field("moment").setCustomValidity("");
  if (event.key === "Enter") goToTime();
});
$("moment").addEventListener("blur", goToTime);
$("now").addEventListener("click", () => go({ at: null }));
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
document.addEventListener("visibilitychange", () => {
  // Browsers limit the streams to a server: hidden pages give theirs up.
  if (document.hidden) {
    events?.close();
    events = null;
  } else if (events === null) tick();
});
onGo(refresh);
setInterval(tick, TICK_MS);
refresh();
listen();
