// @ts-check
// The time machine: the strip of all batches, the slider and the field that
// choose a moment, and the way back to now.
import { go, isTimed, view } from "./address.js";
import { $, field, write } from "./elements.js";
import { figure } from "./formats.js";
import { prepareTrails, showAt } from "./preview.js";
import {
  get,
  newestBatch,
  pastBatch,
  secondsSince,
  shownBatch,
  state,
} from "./state.js";
import { markPlace, placeOf, spanAt, wordsOf } from "./strip.js";
import { placeIn, showStrip, startZoom } from "./strip_view.js";
import { ago, moment } from "./times.js";
import { askSpans, shownSpans, shownStrip } from "./zoom.js";

/** How long to wait until a person has settled on a choice. */
const SETTLE_MS = 150;
const STEP_MS = 200;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let settling;
/** Whether a pointer moves along the strip. */
let isHeld = false;
/** Whether the moments are played. */
let isPlaying = false;
/** Whether passing by has its entry in the browser's history. */
let isEntered = false;

/** Whether what is shown is only passed by: then it is not refreshed. */
export function isPassing() {
  return isHeld || isPlaying;
}

/** Fetches the batches over time that the strip shows. */
export async function askTimeline(/** @type {AbortSignal} */ signal) {
  if (isTimed() && newestBatch() > 0) await askSpans(signal);
}

/** Shows where in time the page is. */
export function showMachine() {
  if (isPassing()) return;
  const slider = field("slider");
  if (newestBatch() > 0) {
    slider.max = String(newestBatch());
    slider.disabled = newestBatch() === 1;
    slider.value = String(shownBatch());
    write($("batch"), figure(shownBatch()));
  }
  const isPast = pastBatch() !== null && isTimed();
  document.body.classList.toggle("in-past", isPast);
  $("now").hidden = !isPast;
  $("play").hidden = view() !== "overview" || state.spans.length < 2;
  const text = showTime(state.snapshotTime);
  slider.setAttribute("aria-valuetext", `batch ${slider.value} ${text}`);
  showAge();
  showStrip();
}

/** Shows of when the figures are; returns it in words. */
function showTime(/** @type {string} */ time) {
  const text = time === "" ? "" : `as of ${moment(time)}`;
  write($("as-of"), text);
  return text;
}

/** Shows how long ago the chosen moment of the past is. */
export function showAge() {
  if (isPassing()) return;
  const isPast = document.body.classList.contains("in-past");
  writeAge(isPast ? state.snapshotTime : "");
}

function writeAge(/** @type {string} */ time) {
  write($("age"), time === "" ? "" : ago(secondsSince(time)));
}

/**
 * Goes to a batch, or to now if it is the newest.
 * @param {number} batch
 * @param {{ replace?: boolean }} options
 */
export function goToBatch(batch, options = {}) {
  const to = Math.max(1, Math.min(newestBatch(), batch));
  go({ at: to === newestBatch() ? null : to }, options);
}

/**
 * Lets a person move in time: `tell` shows an error, `refresh` shows what the
 * address says.
 * @param {{ tell: (error: unknown) => void, refresh: () => void }} page
 */
export function startMachine(page) {
  const slider = field("slider");
  slider.addEventListener("input", () => {
    // One truth: what is chosen, not what is still shown.
    write($("batch"), figure(slider.value));
    showTime("");
    writeAge("");
  });
  slider.addEventListener("change", () => {
    clearTimeout(settling);
    $("main").setAttribute("aria-busy", "true");
    settling = setTimeout(() => goToBatch(Number(slider.value)), SETTLE_MS);
  });
  // By Enter, since a date is written in several steps.
  $("moment").addEventListener("keydown", (event) => {
    field("moment").setCustomValidity("");
    if (event.key === "Enter") goToTime(page.tell);
  });
  $("moment").addEventListener("blur", () => goToTime(page.tell));
  $("now").addEventListener("click", () => go({ at: null }));
  $("play").addEventListener("click", () => play(page.refresh));
  followPointer(page.refresh);
  startZoom();
}

/** Goes to the newest batch whose snapshot was taken by a time. */
async function goToTime(/** @type {(error: unknown) => void} */ tell) {
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

/** Shows the batches under a pointer that is held, and stays at the last. */
function followPointer(/** @type {() => void} */ refresh) {
  const track = $("track");
  const spanUnder = (/** @type {PointerEvent} */ event) =>
    spanAt(shownStrip(), placeIn(event));
  const pass = (/** @type {PointerEvent} */ event) => {
    const span = spanUnder(event);
    if (span !== undefined) passBy(span);
  };
  track.addEventListener("pointerenter", prepareTrails);
  track.addEventListener("pointerdown", (event) => {
    // With Shift, it draws a period.
    if (state.spans.length < 2 || event.shiftKey) return;
    track.setPointerCapture(event.pointerId);
    isPlaying = false;
    isHeld = true;
    isEntered = false;
    prepareTrails();
    pass(event);
  });
  track.addEventListener("pointermove", (event) => {
    if (isHeld) pass(event);
    const span = spanUnder(event);
    track.title = span === undefined ? "" : wordsOf(span);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    track.addEventListener(end, () => {
      if (!isHeld) return;
      isHeld = false;
      stay(refresh);
    });
  }
}

/**
 * Shows a span at once, if the page knows its figures; returns whether it does.
 * @param {import("./strip.js").Span} span
 */
function passBy(span) {
  clearTimeout(settling);
  field("slider").value = String(span.batch);
  write($("batch"), figure(span.batch));
  showTime(span.time);
  writeAge(span.time);
  markPlace(placeOf(shownStrip(), span.time));
  const isShown = showAt(span);
  document.body.classList.toggle("passing", isShown);
  // Else the server is asked wherever the pointer rests.
  if (!isShown) settling = setTimeout(() => enter(span.batch), SETTLE_MS);
  return isShown;
}

/** Goes to a batch that is passed by: all of them are one step for Back. */
function enter(/** @type {number} */ batch) {
  goToBatch(batch, { replace: isEntered });
  isEntered = true;
}

/** Goes to what was passed by last. */
function stay(/** @type {() => void} */ refresh) {
  const before = location.href;
  clearTimeout(settling);
  document.body.classList.remove("passing");
  enter(Number(field("slider").value));
  // What was shown in passing is not all of it.
  if (location.href === before) refresh();
}

/** Whether figures are on their way. */
function isBusy() {
  return $("main").getAttribute("aria-busy") === "true";
}

/** Shows one moment after the other, up to now or until it is stopped. */
async function play(/** @type {() => void} */ refresh) {
  if (isPlaying) {
    isPlaying = false;
    return;
  }
  isPlaying = true;
  isEntered = false;
  write($("play"), "Pause");
  await prepareTrails();
  const from = pastBatch() ?? 0;
  const rest = shownSpans().filter(({ batch }) => batch > from);
  for (const span of rest) {
    if (!isPlaying || view() !== "overview") break;
    const isShown = passBy(span);
    do await new Promise((wake) => setTimeout(wake, STEP_MS)); while (
      !isShown && isPlaying && isBusy()
    );
  }
  const isStopped = isHeld;
  isPlaying = false;
  write($("play"), "Play");
  if (!isStopped) stay(refresh);
}
