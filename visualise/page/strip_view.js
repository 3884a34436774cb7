// @ts-check
// The strip in the page, and what makes its period shorter or longer: the
// wheel, two buttons and keys, and a pointer that draws one with Shift.
import { isTimed } from "./address.js";
import { $ } from "./elements.js";
import { state } from "./state.js";
import { drawStrip, isOnStrip, markPlace, placeOf } from "./strip.js";
import { askSpans, isZoomed, shownStrip, zoomBetween, zoomBy } from "./zoom.js";

/** How long to wait until a person has settled on a period. */
const SETTLE_MS = 150;
/** How long the server may take for the batches of a period. */
const ANSWER_MS = 40_000;
/** How much longer a step makes the period, and one of the wheel. */
const STEP = 2;
const WHEEL_STEP = 1.25;
/** Fewer are shown as they are. */
const SPANS_MIN = 3;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let settling;

/** Draws the strip, with a mark at what is shown. */
export function showStrip() {
  const strip = shownStrip();
  drawStrip(strip);
  markPlace(
    strip.spans.length === 0 ? NaN : placeOf(strip, state.snapshotTime),
  );
  $("zoom").hidden = state.spans.length < SPANS_MIN;
  /** @type {HTMLButtonElement} */ ($("zoom-out")).disabled = !isZoomed();
}

/** Lets a person choose the period of the strip. */
export function startZoom() {
  $("zoom-in").addEventListener("click", () => zoom(1 / STEP));
  $("zoom-out").addEventListener("click", () => zoom(STEP));
  $("track").addEventListener("wheel", (event) => {
    const isFew = state.spans.length < SPANS_MIN;
    if (event.ctrlKey || event.deltaY === 0 || isFew) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1 / WHEEL_STEP : WHEEL_STEP, placeIn(event));
  }, { passive: false });
  followDrawing();
}

/** Zooms to the period that a pointer draws with Shift. */
function followDrawing() {
  const track = $("track");
  /** @type {number | null} */
  let from = null;
  track.addEventListener("pointerdown", (event) => {
    if (!event.shiftKey || state.spans.length < SPANS_MIN) return;
    track.setPointerCapture(event.pointerId);
    from = placeIn(event);
  });
  track.addEventListener("pointermove", (event) => {
    if (from !== null) drawPeriod(from, placeIn(event));
  });
  track.addEventListener("pointercancel", () => {
    from = null;
    $("strip-period").hidden = true;
  });
  track.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const isNew = zoomBetween(from, placeIn(event));
    from = null;
    $("strip-period").hidden = true;
    if (isNew) showCloser();
  });
}

/** Draws the period between two places, from 0 to 1. */
function drawPeriod(/** @type {number} */ one, /** @type {number} */ other) {
  const drawing = $("strip-period");
  drawing.hidden = false;
  drawing.style.left = `${Math.min(one, other) * 100}%`;
  drawing.style.width = `${Math.abs(other - one) * 100}%`;
}

/**
 * Shows a shorter or longer period on the strip, around a place or what is
 * shown.
 * @param {number} times
 * @param {number} [place]
 */
function zoom(times, place) {
  const shownAt = placeOf(shownStrip(), state.snapshotTime);
  const around = place ?? (isOnStrip(shownAt) ? shownAt : 0.5);
  if (zoomBy(times, around)) showCloser();
}

/** Zooms in, or out, around what is shown. */
export function zoomStep(/** @type {boolean} */ isIn) {
  if (isTimed()) zoom(isIn ? 1 / STEP : STEP);
}

/** Draws what is known of the period at once, and closer when it is known. */
function showCloser() {
  showStrip();
  clearTimeout(settling);
  settling = setTimeout(async () => {
    try {
      await askSpans(AbortSignal.timeout(ANSWER_MS));
      showStrip();
    } catch {
      // The next refresh asks again, and says so if it can't.
    }
  }, SETTLE_MS);
}

/** Where a pointer is on the strip, from 0 to 1. */
export function placeIn(/** @type {MouseEvent} */ { clientX }) {
  const { left, width } = $("track").getBoundingClientRect();
  return Math.max(0, Math.min(1, (clientX - left) / width));
}
