import type { CDPSession } from "playwright-core";
import { findChromium, openBrowser } from "../embedded/browser.ts";

/** A slow mobile network: 1.6 Mbit/s down, 150 ms there and back. */
const SLOW = {
  offline: false,
  latency: 150,
  downloadThroughput: 1_600_000 / 8,
  uploadThroughput: 750_000 / 8,
};
/** Until what a batch has changed is drawn, and nothing more is asked for. */
const SETTLE_MS = 1_000;
const ASK_MS = 200;
const SHOWN_MAX_MS = 60_000;

/** What a page takes, in milliseconds since it was asked for. */
export interface Painted {
  firstPaint: number;
  charts: number;
}

/** What a batch costs a page that is open. */
export interface BatchCost {
  /** Of all answers, with their headers. */
  bytes: number;
  /** Processor time of the page's main thread. */
  mainThreadMs: number;
}

/**
 * Opens the dashboard's page with an empty cache of the browser, over a slow
 * network if asked to.
 */
export async function paintPage(
  address: string,
  { token, isSlow = false }: { token: string; isSlow?: boolean },
): Promise<Painted> {
  const browser = await openBrowser(await findChromium() ?? "");
  const page = await browser.newPage({
    extraHTTPHeaders: { authorization: `Bearer ${token}` },
  });
  if (isSlow) {
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", SLOW);
  }
  await page.goto(address);
  await page.waitForSelector("body[data-batch]");
  const [firstPaint, charts] = await page.evaluate(
    `[performance.getEntriesByName("first-contentful-paint")[0].startTime,
      performance.now()]`,
  ) as [number, number];
  await browser.close();
  return { firstPaint, charts };
}

/** Measures what each of some batches, which `load` makes, costs a page. */
export async function costOfBatches(
  address: string,
  { token, batches, load }: {
    token: string;
    batches: number;
    load: (number: number) => Promise<void>;
  },
): Promise<BatchCost[]> {
  const browser = await openBrowser(await findChromium() ?? "");
  const page = await browser.newPage({
    viewport: { width: 1440, height: 900 },
    extraHTTPHeaders: { authorization: `Bearer ${token}` },
  });
  const session = await page.context().newCDPSession(page);
  let bytes = 0;
  session.on(
    "Network.loadingFinished",
    ({ encodedDataLength }) => bytes += encodedDataLength,
  );
  await session.send("Network.enable");
  // The time of the thread, which other programs don't make longer.
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  await page.goto(address);
  await page.waitForSelector(".status[data-state=live]");
  await page.waitForTimeout(SETTLE_MS);
  const costs: BatchCost[] = [];
  for (let number = 1; number <= batches; number++) {
    const shown = Number(await page.evaluate("document.body.dataset.batch"));
    const [bytesBefore, before] = [bytes, await mainThreadMs(session)];
    await load(number);
    await shows(session, shown + 1);
    costs.push({
      bytes: bytes - bytesBefore,
      mainThreadMs: await mainThreadMs(session) - before,
    });
  }
  await browser.close();
  return costs;
}

/**
 * Waits until the page shows a batch, and a little more. It asks the browser
 * itself: what else waits runs a script in each of the page's frames.
 */
async function shows(session: CDPSession, batch: number): Promise<void> {
  const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));
  for (const end = Date.now() + SHOWN_MAX_MS;;) {
    const { result } = await session.send("Runtime.evaluate", {
      expression: "document.body.dataset.batch",
    });
    if (Number(result.value) === batch) break;
    if (Date.now() > end) throw new Error(`batch ${batch} is not shown`);
    await pause(ASK_MS);
  }
  await pause(SETTLE_MS);
}

async function mainThreadMs(session: CDPSession): Promise<number> {
  const { metrics } = await session.send("Performance.getMetrics");
  const seconds = metrics.find(({ name }) => name === "TaskDuration")?.value;
  return (seconds ?? NaN) * 1000;
}
