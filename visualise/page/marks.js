// @ts-check
// What a plot draws: lines or columns over the rules of its scale, in
// percentages.
import { make } from "./elements.js";
import { pathOf, svg } from "./svg.js";

/** @typedef {import("./plot.js").Plot} Plot */

/**
 * The drawing of a plot, and the names of its scale.
 * @param {Plot} plot
 * @returns {{ drawing: Element[], ticks: Element[] }}
 */
export function drawn(plot) {
  const { type, points, limit } = plot;
  if (points.length === 0) return { drawing: [], ticks: [] };
  const scale = scaleFor(plot);
  const yOf = (/** @type {number} */ value) =>
    (scale.max - value) / (scale.max - scale.min) * 100;
  const marks = type === "column" ? columnsOf(plot, yOf) : linesOf(plot, yOf);
  const rule = (/** @type {string} */ look, /** @type {number} */ value) =>
    svg("line", {
      class: look,
      x2: "100%",
      y1: `${yOf(value)}%`,
      y2: `${yOf(value)}%`,
    });
  const drawing = svg(
    "svg",
    { class: "drawing", "aria-hidden": "true" },
    ...scale.ticks.map((tick) => rule(tick === 0 ? "base" : "rule", tick)),
    ...marks,
    ...(limit === undefined ? [] : [rule("limit", limit.value)]),
  );
  const names = scale.ticks.map(plot.short);
  const widest = names.toSorted((one, other) => other.length - one.length)[0];
  return {
    drawing: [
      drawing,
      ...(limit === undefined ? [] : [
        placed("span", "tick limit", { top: yOf(limit.value) }, limit.name),
      ]),
    ],
    ticks: [
      // Placed elements take no room: this one keeps it for them.
      make("span", { class: "widest" }, widest),
      ...scale.ticks.map((tick, index) =>
        placed("span", "tick", { top: yOf(tick) }, names[index] ?? "")
      ),
    ],
  };
}

/** The scale of the y axis, for all that is drawn. */
function scaleFor(/** @type {Plot} */ plot) {
  const { type, points, series, limit, steps } = plot;
  const values = type === "column"
    ? points.flatMap((_, index) => stackAt(plot, index).map(({ to }) => to))
    : series.flatMap((one) => one.values.map((value) => value ?? 0));
  return scaleOf(
    Math.min(0, ...values),
    Math.max(0, ...values, limit?.value ?? 0),
    steps,
  );
}

/** The bounds of the values that are drawn, with zero, and round steps. */
function scaleOf(
  /** @type {number} */ low,
  /** @type {number} */ high,
  /** @type {number[] | undefined} */ steps = [],
) {
  const span = Math.max(high, 0) - Math.min(low, 0) || 1;
  const rough = 10 ** Math.floor(Math.log10(span / 3));
  const step = [...steps, ...[1, 2, 5, 10].map((times) => times * rough)]
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
export function xOf(
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

/** An element with a text at a place, in per cent. */
export function placed(
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
