import type { Page, Request } from "playwright-core";
import { FACTS } from "../demo/measured_trade.ts";
import { withClient } from "../demo/with_client.ts";
import { findChromium, openBrowser } from "../embedded/browser.ts";

/** A year of batches, one every 15 minutes. */
const BATCHES = 35_040;
/** How many moments the pointer passes by, and where it stays. */
const MOVES = 300;
const STAYS = 6;
const TRY_MS = 100;
const TRIES_MAX = 600;

/** Milliseconds, in order. */
export interface Scrubbed {
  /** From a move of the pointer until its figures are painted. */
  passing: number[];
  /** From letting go until all figures of the moment are shown. */
  staying: number[];
}

/**
 * Spreads a warehouse's one batch over a year of them, by SQL: no load could do
 * it as fast. What was recorded before that year stays in the first.
 */
export async function spreadOverYear(url: string): Promise<void> {
  const at = (batch: string) =>
    `(now() - (${BATCHES} - ${batch}) * interval '15 min')`;
  await withClient(url, async (client) => {
    // Bounds and references of versions are not the point.
    await client.query("set session_replication_role = replica");
    await client.query("delete from pipeline.batch where batch > 1");
    await client.query(
      `insert into pipeline.batch select batch, ${at("batch")},
        ${at("batch")} + interval '10 s', run_id, input_sha256, 40, 0,
        transform_hash, lake_id
      from (select run_id, input_sha256, transform_hash, lake_id
        from pipeline.batch where batch = 1) as model
      cross join generate_series(2, $1::integer) as batch`,
      [BATCHES],
    );
    await client.query(
      `update pipeline.batch set snapshot_time = ${at("1")},
        loaded_at = ${at("1")} + interval '10 s' where batch = 1`,
    );
    for (const fact of FACTS) {
      await client.query(
        `update ${fact} as facts set from_batch = placed.batch,
          valid_from = ${at("placed.batch")}
        from (select ctid as place, number,
            1 + (${BATCHES} - 1) * number / count(*) over () as batch
          from (select ctid, row_number() over (order by ctid) as number
            from ${fact} where to_batch is null) as numbered) as placed
        where placed.place = facts.ctid and placed.batch > 1
          and placed.number % 2 = 0`,
      );
      await client.query(`vacuum analyze ${fact}`);
    }
    await client.query("analyze pipeline.batch");
  });
}

/** Drags along the strip of a dashboard, and stays at some moments. */
export async function scrub(
  address: string,
  token: string,
): Promise<Scrubbed> {
  const browser = await openBrowser(await findChromium() ?? "");
  const page = await browser.newPage({
    viewport: { width: 1440, height: 900 },
    extraHTTPHeaders: { authorization: `Bearer ${token}` },
  });
  page.setDefaultTimeout(120_000);
  await page.goto(address);
  await page.waitForSelector("#strip-over-time rect", { state: "attached" });
  await trailsKnown(page);
  const passing = await pass(page);
  const staying: number[] = [];
  for (let stay = 0; stay < STAYS; stay++) {
    staying.push(await stayAt(page, (stay * 7 % STAYS + 0.5) / STAYS));
  }
  await browser.close();
  return {
    passing: passing.toSorted((a, b) => a - b),
    staying: staying.toSorted((a, b) => a - b),
  };
}

/** Points at the strip until the page knows what it needs to pass by moments. */
async function trailsKnown(page: Page): Promise<void> {
  let open = 0;
  const isTrail = (request: Request) => request.url().includes("/api/trail/");
  page.on("request", (request) => open += isTrail(request) ? 1 : 0);
  const first = page.waitForResponse((answer) =>
    answer.url().includes("/api/trail/")
  );
  page.on("requestfinished", (request) => open -= isTrail(request) ? 1 : 0);
  await page.locator("#track").hover();
  await first;
  for (let tries = 0; open > 0 && tries < TRIES_MAX; tries++) {
    await page.waitForTimeout(TRY_MS);
  }
}

/** Moves a held pointer to and fro; each move's time until it is painted. */
async function pass(page: Page): Promise<number[]> {
  const box = await page.locator("#track").boundingBox();
  if (box === null) throw new Error("there is no strip");
  const y = box.y + 10;
  // Two frames later, what the move drew is on the screen.
  await page.evaluate(`{
    window.passed = [];
    document.querySelector("#track").addEventListener("pointermove", () => {
      const start = performance.now();
      requestAnimationFrame(() => {
        const port = new MessageChannel();
        port.port1.onmessage = () => passed.push(performance.now() - start);
        port.port2.postMessage(null);
      });
    }, { capture: true });
  }`);
  await page.mouse.move(box.x + box.width - 1, y);
  await page.mouse.down();
  for (let move = 0; move < MOVES; move++) {
    const place = Math.abs(1 - (move * 1.7 / MOVES) % 2);
    await page.mouse.move(box.x + box.width * place, y);
  }
  await page.mouse.up();
  await page.waitForSelector("#main[aria-busy=false]");
  return await page.evaluate("window.passed") as number[];
}

/** Presses the pointer at a place of the strip, and lets go. */
async function stayAt(page: Page, place: number): Promise<number> {
  const box = await page.locator("#track").boundingBox();
  if (box === null) throw new Error("there is no strip");
  await page.mouse.move(box.x + box.width * place, box.y + 10);
  await page.mouse.down();
  const start = performance.now();
  await page.mouse.up();
  await page.waitForSelector("#main[aria-busy=false]");
  return performance.now() - start;
}
