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
