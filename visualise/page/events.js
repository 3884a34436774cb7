// @ts-check
// Whether the page is live: the server's events, or polling where it sends none.
import { view } from "./address.js";
import { askStages } from "./failures.js";
import { showAge } from "./time_machine.js";
import { showBehind } from "./pipeline.js";
import { askNewest, state } from "./state.js";
import { showStatus } from "./status.js";
import { forgetSpans } from "./zoom.js";

const TICK_MS = 5_000;
/** The server sends something every 15 seconds. */
const SILENCE_MAX_MS = 40_000;
/** How often to refresh what no event announces: an age, or a rebuild. */
const AGE_MAX_MS = 60_000;
/** No event announces what extract and transform did. */
const PIPELINE_AGE_MAX_MS = 15_000;

/**
 * The stream of events; null if it is closed for good.
 * @type {EventSource | null}
 */
let events = null;
let heardAt = 0;
let isPolling = false;
let page = {
  hear: (/** @type {number} */ _turn) => {},
  retry: () => {},
  refreshedAt: () => 0,
};

/**
 * Keeps the page up to date: `hear` takes the turn of each event, `retry`
 * refreshes the page.
 * @param {{
 *   hear: (turn: number) => void,
 *   retry: () => void,
 *   refreshedAt: () => number,
 * }} given
 */
export function keepLive(given) {
  page = given;
  document.addEventListener("visibilitychange", () => {
    // Browsers limit the streams to a server: hidden pages give theirs up.
    if (document.hidden) {
      events?.close();
      events = null;
    } else if (events === null) tick();
  });
  setInterval(tick, TICK_MS);
  listen();
}

/** Listens for events. The browser reconnects by itself where it can. */
function listen() {
  events?.close();
  if (document.hidden) {
    events = null;
    return;
  }
  const stream = new EventSource("events");
  events = stream;
  heardAt = Date.now();
  stream.addEventListener("here", () => {
    heardAt = Date.now();
  });
  stream.addEventListener("link", ({ data }) => {
    heardAt = Date.now();
    const { up, turn } = JSON.parse(data);
    // What was announced meanwhile is not known.
    if (state.up === false) forgetSpans();
    state.up = up;
    showStatus();
    if (up) page.hear(turn);
  });
  for (const type of ["batch", "reset"]) {
    stream.addEventListener(type, ({ data }) => {
      heardAt = Date.now();
      if (type === "reset") forgetSpans();
      page.hear(JSON.parse(data).turn);
    });
  }
  stream.onerror = () => {
    state.up = !state.streams;
    showStatus();
    if (stream.readyState === EventSource.CLOSED && stream === events) {
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
  // Where it fails, the pipeline's own view says why.
  const isPipeline = view() === "pipeline";
  if (!isPipeline) askStages().then(showStatus, () => {});
  showStatus();
  if (isPipeline) showBehind();
  else showAge();
  const isOld = Date.now() - page.refreshedAt() >
    (isPipeline ? PIPELINE_AGE_MAX_MS : AGE_MAX_MS);
  if (isOld && (isPipeline || !state.streams)) page.retry();
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
    page.retry();
  }
}
