// @ts-check
// Elements of SVG, and the small drawings without axes.
const SVG = "http://www.w3.org/2000/svg";

/** Makes an SVG element. */
export function svg(
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

/** A path through points. */
export function pathOf(/** @type {number[][]} */ points) {
  return points.map(([x, y], index) =>
    `${index === 0 ? "M" : "L"}${x?.toFixed(2)} ${y?.toFixed(2)}`
  ).join("");
}

/** In per cent: columns keep away from what is above. */
const HIGHEST = 85;

/** Small columns without axes, for what a figure is made of. */
export function sparkColumns(
  /** @type {number[]} */ values,
  /** @type {string} */ look,
) {
  const max = Math.max(...values, 0);
  const width = 100 / Math.max(1, values.length);
  return svg(
    "svg",
    { class: "spark", "aria-hidden": "true" },
    ...(values.length < 2 ? [] : values).map((value, index) => {
      const height = max === 0 ? 0 : Math.max(0, value) / max * HIGHEST;
      return svg("rect", {
        class: look,
        x: `${((index + 0.15) * width).toFixed(2)}%`,
        width: `${(width * 0.7).toFixed(2)}%`,
        y: `${(100 - height).toFixed(2)}%`,
        height: `${height.toFixed(2)}%`,
      });
    }),
  );
}

/**
 * A small line without axes, for the trend of a figure beside it. What is
 * partial is not joined as if it were a fall: its last value is dashed.
 * @param {(number | null)[]} values
 * @param {{ isPartial: boolean }} options
 */
export function sparkline(values, { isPartial }) {
  const max = Math.max(...values.map((value) => value ?? 0), 0);
  const points = values.map((value, index) => [
    index / Math.max(1, values.length - 1) * 100,
    100 - (max === 0 ? 0 : (value ?? 0) / max * 100),
  ]);
  const whole = isPartial && points.length > 2 ? points.slice(0, -1) : points;
  const rest = points.slice(whole.length - 1);
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
        d: `${pathOf(whole)}L${whole.at(-1)?.[0]} 100L0 100Z`,
      }),
      svg("path", { class: "line", d: pathOf(whole) }),
      ...rest.length < 2
        ? []
        : [svg("path", { class: "line partial", d: pathOf(rest) })],
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
