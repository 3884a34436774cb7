// @ts-check
// Charts as SVG, in percentages: they fit any width, and print, without being
// drawn again. Colours are the style sheet's.
import { make, refill } from "./elements.js";
import { drawn, placed, xOf } from "./marks.js";

/**
 * The values of one series; null where there is none. Its look is a class.
 * @typedef {{ name: string, look: string, values: (number | null)[] }} Series
 */

/**
 * What a plot shows: points along the x axis, each named, and the values of the
 * series there. `at` places points that are not evenly spaced, from 0 to 1.
 * The last point may be partial. Choosing a point calls `act` with its index.
 * The rules are as far apart as the least of the steps allows, if given.
 * @typedef {{
 *   label: string,
 *   type: "line" | "column",
 *   points: string[],
 *   at?: number[],
 *   series: Series[],
 *   format: (value: number) => string,
 *   short: (value: number) => string,
 *   steps?: number[],
 *   limit?: { value: number, name: string },
 *   partial?: boolean,
 *   act?: (index: number) => void,
 * }} Plot
 */

const LABELS_MAX = 7;
/** In per cent: points that are not evenly spaced may be closer. */
const LABELS_APART = 8;

/**
 * A plot that can be drawn again and again. The mouse and the arrow keys move
 * over its points; a new drawing leaves the chosen one as it is.
 */
export function makePlot() {
  const ticks = make("div", { class: "ticks", "aria-hidden": "true" });
  const area = make("div", { class: "area" });
  const labels = make("div", { class: "labels", "aria-hidden": "true" });
  const cursor = make("div", { class: "cursor" });
  const tip = make("div", { class: "tip", role: "status" });
  const names = make("div", { class: "names", "aria-hidden": "true" });
  const element = make(
    "div",
    { class: "plot", role: "group", tabindex: "0" },
    names,
    ticks,
    make("div", { class: "frame" }, area, cursor, tip),
    labels,
  );
  /** @type {Plot | null} */
  let plot = null;
  /** @type {number | null} */
  let chosen = null;

  const choose = (/** @type {number | null} */ index) => {
    chosen = plot === null || index === null || plot.points.length === 0
      ? null
      : Math.max(0, Math.min(plot.points.length - 1, index));
    cursor.hidden = tip.hidden = chosen === null;
    if (plot === null || chosen === null) return;
    const x = xOf(plot, chosen);
    cursor.style.left = `${x}%`;
    // Beside the cursor, on the side with more room.
    tip.style.left = x < 50 ? `${x}%` : "auto";
    tip.style.right = x < 50 ? "auto" : `${100 - x}%`;
    refill(tip, ...tipOf(plot, chosen));
  };
  addChoice(element, {
    choose,
    nearest: (clientX) => plot === null ? null : indexAt(plot, area, clientX),
    last: () => (plot?.points.length ?? 0) - 1,
    chosen: () => chosen,
    act: () => {
      if (chosen !== null) plot?.act?.(chosen);
    },
  });
  choose(null);

  return {
    element,
    draw: (/** @type {Plot} */ given) => {
      plot = given;
      element.setAttribute("aria-label", given.label);
      element.classList.toggle("acts", given.act !== undefined);
      const { drawing, ticks: scale } = drawn(given);
      refill(names, ...namesOf(given));
      refill(area, ...drawing);
      refill(ticks, ...scale);
      refill(labels, ...labelsOf(given));
      choose(chosen);
    },
  };
}

/**
 * Lets the mouse and the keys choose a point.
 * @param {HTMLElement} element
 * @param {{
 *   choose: (index: number | null) => void,
 *   nearest: (clientX: number) => number | null,
 *   last: () => number,
 *   chosen: () => number | null,
 *   act: () => void,
 * }} plot
 */
function addChoice(element, { choose, nearest, last, chosen, act }) {
  element.addEventListener(
    "pointermove",
    ({ clientX }) => choose(nearest(clientX)),
  );
  element.addEventListener("pointerleave", () => choose(null));
  element.addEventListener("click", ({ clientX }) => {
    choose(nearest(clientX));
    act();
  });
  element.addEventListener("blur", () => choose(null));
  element.addEventListener("keydown", (event) => {
    const to = {
      ArrowLeft: (chosen() ?? last() + 1) - 1,
      ArrowRight: (chosen() ?? -1) + 1,
      Home: 0,
      End: last(),
    }[event.key];
    if (to !== undefined) choose(to);
    else if (event.key === "Enter") act();
    else return;
    event.preventDefault();
  });
}

/**
 * The point that is nearest to a place on the screen; null without points.
 * @param {Plot} plot
 * @param {HTMLElement} area
 * @param {number} clientX
 */
function indexAt(plot, area, clientX) {
  if (plot.points.length === 0) return null;
  const { left, width } = area.getBoundingClientRect();
  const x = (clientX - left) / width * 100;
  const distances = plot.points.map((_, index) =>
    Math.abs(xOf(plot, index) - x)
  );
  return distances.indexOf(Math.min(...distances));
}

/** @returns {Element[]} */
function labelsOf(/** @type {Plot} */ plot) {
  const { points } = plot;
  const every = Math.ceil(points.length / LABELS_MAX);
  /** @type {Element[]} */
  const labels = [];
  let right = Infinity;
  // From the last, which is the one that people look at.
  for (let index = points.length - 1; index >= 0; index -= every) {
    const x = xOf(plot, index);
    if (right - x < LABELS_APART) continue;
    right = x;
    labels.unshift(placed("span", "label", { left: x }, points[index] ?? ""));
  }
  return labels;
}

/** What tells several series apart; a single one has the chart's title. */
function namesOf(/** @type {Plot} */ { series }) {
  return series.length < 2
    ? []
    : series.map(({ name, look }) =>
      make("span", {}, make("i", { class: `swatch ${look}` }), name)
    );
}

/** @returns {Element[]} */
function tipOf(
  /** @type {Plot} */ { points, series, format, partial },
  /** @type {number} */ index,
) {
  const isPartial = partial && index === points.length - 1;
  const shown = series.filter(({ values }) => values[index] != null);
  return [
    make("strong", {}, `${points[index]}${isPartial ? ", so far" : ""}`),
    ...shown.map(({ name, look, values }) =>
      make(
        "div",
        {},
        make("i", { class: `swatch ${look}`, "aria-hidden": "true" }),
        `${name} `,
        make("b", {}, format(values[index] ?? 0)),
      )
    ),
  ];
}
