// @ts-check
// Charts as SVG, in percentages: they fit any width, and print, without being
// drawn again. Colours are the style sheet's.
import { make, refill } from "./elements.js";

/**
 * The values of one series; null where there is none. Its look is a class.
 * @typedef {{ name: string, look: string, values: (number | null)[] }} Series
 */

/**
 * What a plot shows: points along the x axis, each named, and the values of the
 * series there. `at` places points that are not evenly spaced, from 0 to 1.
 * The last point may be partial. Choosing a point calls `act` with its index.
 * @typedef {{
 *   label: string,
 *   type: "line" | "column",
 *   points: string[],
 *   at?: number[],
 *   series: Series[],
 *   format: (value: number) => string,
 *   short: (value: number) => string,
 *   limit?: { value: number, name: string },
 *   partial?: boolean,
 *   act?: (index: number) => void,
 * }} Plot
 */

const SVG = "http://www.w3.org/2000/svg";
const LABELS_MAX = 7;

/** Makes an SVG element. */
function svg(
  /** @type {string} */ name,
  /** @type {Record<string, string | number>} */ attributes = {},
  /** @type {Element[]} */ ...children
) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * A plot that can be drawn again and again. The mouse and the arrow keys move
 * over its points; a new drawing leaves the chosen one as it is.
 */
export function makePlot() {
  const area = make("div", { class: "area" });
  const labels = make("div", { class: "labels", "aria-hidden": "true" });
  const cursor = make("div", { class: "cursor" });
  const tip = make("div", { class: "tip", role: "status" });
  const element = make(
    "div",
    { class: "plot", role: "group", tabindex: "0" },
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
  const indexAt = (/** @type {PointerEvent | MouseEvent} */ event) => {
    if (plot === null || plot.points.length === 0) return null;
    const { left, width } = area.getBoundingClientRect();
    const x = (event.clientX - left) / width * 100;
    const distances = plot.points.map((_, index) =>
      Math.abs(xOf(/** @type {Plot} */ (plot), index) - x)
    );
    return distances.indexOf(Math.min(...distances));
  };
  const act = () => {
    if (chosen !== null) plot?.act?.(chosen);
  };
  element.addEventListener("pointermove", (event) => choose(indexAt(event)));
  element.addEventListener("pointerleave", () => choose(null));
  element.addEventListener("click", (event) => {
    choose(indexAt(event));
    act();
  });
  element.addEventListener("blur", () => choose(null));
  element.addEventListener("keydown", (event) => {
    const last = (plot?.points.length ?? 0) - 1;
    const to = {
      ArrowLeft: (chosen ?? last + 1) - 1,
      ArrowRight: (chosen ?? -1) + 1,
      Home: 0,
      End: last,
    }[event.key];
    if (to !== undefined) choose(to);
    else if (event.key === "Enter") act();
    else return;
    event.preventDefault();
  });
  choose(null);

  return {
    element,
    draw: (/** @type {Plot} */ given) => {
      plot = given;
      element.setAttribute("aria-label", given.label);
      element.classList.toggle("acts", given.act !== undefined);
      refill(area, ...areaOf(given));
      refill(labels, ...labelsOf(given));
      choose(chosen);
    },
  };
}

/** A small line without axes, for the trend of a figure beside it. */
export function sparkline(/** @type {(number | null)[]} */ values) {
  const max = Math.max(...values.map((value) => value ?? 0), 0);
  const points = values.map((value, index) => [
    index / Math.max(1, values.length - 1) * 100,
    100 - (max === 0 ? 0 : (value ?? 0) / max * 100),
  ]);
  return svg(
    "svg",
    {
      class: "spark",
      viewBox: "0 -4 100 108",
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    },
    ...(points.length < 2 ? [] : [
      svg("path", {
        class: "fill",
        d: `${pathOf(points)}L100 100L0 100Z`,
      }),
      svg("path", { class: "line", d: pathOf(points) }),
    ]),
  );
}

/** A bar for a share, from 0 to 1. */
export function bar(/** @type {number} */ share, look = "") {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return svg(
    "svg",
    { class: "bar", "aria-hidden": "true" },
    svg("rect", {
      class: look,
      width: `${width.toFixed(2)}%`,
      height: "100%",
      rx: 2,
    }),
  );
}

/** The bounds of the values that are drawn, with zero, and round steps. */
export function scaleOf(
  /** @type {number} */ low,
  /** @type {number} */ high,
) {
  const span = Math.max(high, 0) - Math.min(low, 0) || 1;
  const rough = 10 ** Math.floor(Math.log10(span / 3));
  const step = [1, 2, 5, 10].map((times) => times * rough)
    .find((one) => span / one <= 4) ?? span;
  const first = Math.floor(Math.min(low, 0) / step);
  const last = Math.max(first + 1, Math.ceil(Math.max(high, 0) / step));
  return {
    min: first * step,
    max: last * step,
    ticks: Array.from(
      { length: last - first + 1 },
      (_, index) => (first + index) * step,
    ),
  };
}

/** Where a point is along the x axis, in per cent. */
function xOf(
  /** @type {Plot} */ { type, points, at },
  /** @type {number} */ index,
) {
  const place = at?.[index];
  if (place !== undefined) return place * 100;
  if (type === "column") return (index + 0.5) / points.length * 100;
  return points.length < 2 ? 50 : index / (points.length - 1) * 100;
}

/** The sums up to each series, from the lowest, for stacked columns. */
function stackAt(
  /** @type {Plot} */ { series },
  /** @type {number} */ index,
) {
  let sum = 0;
  return series.map(({ values }) => {
    const value = values[index] ?? 0;
    sum += value;
    return { from: sum - value, to: sum };
  });
}

/** @returns {Element[]} */
function areaOf(/** @type {Plot} */ plot) {
  const { type, points, series, limit } = plot;
  if (points.length === 0) return [];
  const values = type === "column"
    ? points.flatMap((_, index) => stackAt(plot, index).map(({ to }) => to))
    : series.flatMap((one) => one.values.map((value) => value ?? 0));
  const scale = scaleOf(
    Math.min(0, ...values),
    Math.max(0, ...values, limit?.value ?? 0),
  );
  const yOf = (/** @type {number} */ value) =>
    (scale.max - value) / (scale.max - scale.min) * 100;
  const marks = type === "column" ? columnsOf(plot, yOf) : linesOf(plot, yOf);
  const drawing = svg(
    "svg",
    { class: "drawing", "aria-hidden": "true" },
    ...scale.ticks.map((tick) =>
      svg("line", {
        class: tick === 0 ? "base" : "rule",
        x2: "100%",
        y1: `${yOf(tick)}%`,
        y2: `${yOf(tick)}%`,
      })
    ),
    ...marks,
    ...(limit === undefined ? [] : [svg("line", {
      class: "limit",
      x2: "100%",
      y1: `${yOf(limit.value)}%`,
      y2: `${yOf(limit.value)}%`,
    })]),
  );
  const written = scale.ticks.map((tick) =>
    placed("span", "tick", { top: yOf(tick) }, plot.short(tick))
  );
  if (limit !== undefined) {
    written.push(
      placed("span", "tick limit", { top: yOf(limit.value) }, limit.name),
    );
  }
  return [drawing, ...written];
}

/** @returns {Element[]} */
function columnsOf(
  /** @type {Plot} */ plot,
  /** @type {(value: number) => number} */ yOf,
) {
  const { points, series, partial } = plot;
  const width = Math.min(6, 72 / points.length);
  return points.flatMap((_, index) => {
    const x = xOf(plot, index) - width / 2;
    const isPartial = partial && index === points.length - 1;
    return stackAt(plot, index).flatMap(({ from, to }, place) => {
      const value = series[place]?.values[index];
      return value == null || value === 0 ? [] : [svg("rect", {
        class: `column ${series[place]?.look}${isPartial ? " partial" : ""}`,
        x: `${x.toFixed(3)}%`,
        width: `${width.toFixed(3)}%`,
        y: `${Math.min(yOf(from), yOf(to)).toFixed(3)}%`,
        height: `${Math.abs(yOf(from) - yOf(to)).toFixed(3)}%`,
        "data-value": value,
        "data-series": series[place]?.name ?? "",
      })];
    });
  });
}

/** @returns {Element[]} */
function linesOf(
  /** @type {Plot} */ plot,
  /** @type {(value: number) => number} */ yOf,
) {
  return plot.series.flatMap(({ name, look, values }) => {
    const points = values.flatMap((value, index) =>
      value === null ? [] : [[xOf(plot, index), yOf(value)]]
    );
    // What is partial is not joined as if it were a fall.
    const whole = plot.partial ? points.slice(0, -1) : points;
    const rest = plot.partial ? points.slice(-2) : [];
    return [
      svg(
        "svg",
        { viewBox: "0 0 100 100", preserveAspectRatio: "none" },
        ...(whole.length < 2 ? [] : [
          svg("path", {
            class: `fill ${look}`,
            d: `${pathOf(whole)}L${whole.at(-1)?.[0]} ${yOf(0)}L${
              whole[0]?.[0]
            } ${yOf(0)}Z`,
          }),
          svg("path", { class: `line ${look}`, d: pathOf(whole) }),
        ]),
        ...(rest.length < 2
          ? []
          : [svg("path", { class: `line partial ${look}`, d: pathOf(rest) })]),
      ),
      ...values.flatMap((value, index) =>
        value === null ? [] : [svg("circle", {
          class: `dot ${look}`,
          cx: `${xOf(plot, index).toFixed(3)}%`,
          cy: `${yOf(value).toFixed(3)}%`,
          r: points.length > 60 ? 0 : 2.5,
          "data-value": value,
          "data-series": name,
        })]
      ),
    ];
  });
}

function pathOf(/** @type {number[][]} */ points) {
  return points.map(([x, y], index) =>
    `${index === 0 ? "M" : "L"}${x?.toFixed(2)} ${y?.toFixed(2)}`
  ).join("");
}

/** @returns {Element[]} */
function labelsOf(/** @type {Plot} */ plot) {
  const { points } = plot;
  const every = Math.ceil(points.length / LABELS_MAX);
  return points.flatMap((name, index) =>
    // Counted from the last, which is the one that people look at.
    (points.length - 1 - index) % every === 0
      ? [placed("span", "label", { left: xOf(plot, index) }, name)]
      : []
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

/** An element with a text at a place, in per cent. */
function placed(
  /** @type {string} */ name,
  /** @type {string} */ look,
  /** @type {{ left?: number, top?: number }} */ { left, top },
  /** @type {string} */ text,
) {
  const element = make(name, { class: look }, text);
  if (left !== undefined) {
    element.style.left = `${left}%`;
    // The first and the last label stay within the plot.
    element.style.transform = `translateX(-${left.toFixed(1)}%)`;
  }
  if (top !== undefined) element.style.top = `${top}%`;
  return element;
}
