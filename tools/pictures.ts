/**
 * `deno task pictures http://127.0.0.1:54331/`: takes the pictures of the
 * documents from a dashboard at work, such as the demo's a minute after
 * `./totesys demo --reset`.
 */
import { join } from "node:path";
import { platformDirectory } from "../lib/platform_directory.ts";
import { findChromium, openBrowser } from "../embedded/browser.ts";

/** Pictures by name: what the address says, and the page's colours. */
const PICTURES = [
  { name: "business-light", query: "", colorScheme: "light", height: 1500 },
  { name: "business-dark", query: "", colorScheme: "dark", height: 1500 },
  {
    name: "history",
    query: "?view=changes",
    colorScheme: "light",
    height: 1100,
  },
  {
    name: "pipeline-light",
    query: "?view=pipeline",
    colorScheme: "light",
    height: 1100,
  },
  {
    name: "pipeline-dark",
    query: "?view=pipeline",
    colorScheme: "dark",
    height: 1100,
  },
] as const;
/** Three quarters of a pixel are enough in a document. */
const SCALE = 0.75;

const [address] = Deno.args;
const chromium = await findChromium();
if (address === undefined || chromium === undefined) {
  console.error(
    "usage: deno task pictures ADDRESS; it needs Chromium and a dashboard at that address",
  );
  Deno.exit(2);
}
const browser = await openBrowser(chromium);
for (const { name, query, colorScheme, height } of PICTURES) {
  const page = await browser.newPage({
    viewport: { width: 1440, height },
    deviceScaleFactor: SCALE,
    locale: "en-GB",
    colorScheme,
  });
  await page.goto(new URL(query, address).href);
  await page.waitForSelector("body[data-batch]");
  await page.waitForSelector(".status[data-state=live]");
  await page.screenshot({
    path: join(platformDirectory(), "docs", "images", `${name}.jpg`),
    type: "jpeg",
    quality: 80,
  });
  await page.close();
  console.log(`docs/images/${name}.jpg`);
}
await browser.close();
