import axe from "axe-core";
import assert from "node:assert/strict";
import type { Page } from "playwright-core";

/**
 * What is too faint of the edges of controls and the marks of charts, which need
 * a contrast of 3 to what is behind them, and which axe doesn't compare:
 * https://www.w3.org/WAI/WCAG22/Understanding/non-text-contrast.html
 */
const FAINT = `(() => {
  const canvas = document.createElement("canvas").getContext("2d", {
    willReadFrequently: true,
  });
  const painted = (layers) => {
    for (const [colour, opacity] of layers) {
      canvas.globalAlpha = opacity;
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((one) => one / 255)
      .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const both = [luminance(one), luminance(other)];
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  };
  const lineage = (one) => one === null ? [] : [one, ...lineage(one.parentElement)];
  const behind = (parent) => lineage(parent).reverse()
    .map((one) => [getComputedStyle(one).backgroundColor, 1]);
  const faint = [];
  const compare = (element, colours, parent) => {
    if (!element.checkVisibility({ visibilityProperty: true })) return;
    const { opacity, fillOpacity } = getComputedStyle(element);
    const back = [["white", 1], ...behind(parent)];
    const least = Math.max(...colours.map(([name, colour]) => contrast(
      painted([...back, [colour, opacity * (name === "fill" ? fillOpacity : 1)]]),
      painted(back),
    )));
    if (least < 3) {
      faint.push([element.tagName, element.id, element.className.baseVal ??
        element.className, least.toFixed(2)].join(" "));
    }
  };
  for (const one of document.querySelectorAll("input, select, button, .took-legend i")) {
    const { borderTopWidth, borderTopColor } = getComputedStyle(one);
    // A card is known by its figures, the others are drawn by the browser.
    if (borderTopWidth === "0px" || one.matches(
      ".card, [type=range], [type=checkbox], [type=radio]",
    )) continue;
    compare(one, [["border", borderTopColor]], one.parentElement);
  }
  const marks = "svg rect, svg circle, svg path:not(.fill), svg polyline";
  for (const one of document.querySelectorAll(marks)) {
    const { fill, stroke } = getComputedStyle(one);
    const colours = [["fill", fill], ["stroke", stroke]]
      .filter(([, colour]) => colour !== "none");
    if (colours.length > 0) compare(one, colours, one.parentElement);
  }
  return [...new Set(faint)];
})()`;

/**
 * No serious fault that axe knows of, nothing that is too faint, and nothing
 * wider than the page.
 */
export async function assertAccessible(
  page: Page,
  what: string,
): Promise<void> {
  const wide = await page.evaluate(
    "document.documentElement.scrollWidth - innerWidth",
  );
  assert.ok(Number(wide) <= 0, `${what}: ${wide} too wide`);
  assert.deepEqual(await page.evaluate(FAINT), [], `${what}: too faint`);
  // By the debugger, which the page's own policy does not bind.
  await page.evaluate(axe.source);
  const found = await page.evaluate("axe.run()") as {
    violations: { id: string; impact: string; nodes: unknown[] }[];
  };
  const serious = found.violations.filter(({ impact }) =>
    ["serious", "critical"].includes(impact)
  );
  assert.deepEqual(
    serious.map(({ id, nodes }) => `${id}: ${JSON.stringify(nodes)}`),
    [],
    what,
  );
}

/** The same on a phone and a desk, light and dark. */
export async function assertAccessibleEverywhere(
  page: Page,
  what: string,
): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [390, 1440]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await assertAccessible(page, `${what}, ${colorScheme}, ${width}`);
    }
  }
}
