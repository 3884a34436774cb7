import axe from "axe-core";
import assert from "node:assert/strict";
import type { Page } from "playwright-core";

/** No serious fault that axe knows of, and nothing wider than the page. */
export async function assertAccessible(
  page: Page,
  what: string,
): Promise<void> {
  const wide = await page.evaluate(
    "document.documentElement.scrollWidth - innerWidth",
  );
  assert.ok(Number(wide) <= 0, `${what}: ${wide} too wide`);
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
