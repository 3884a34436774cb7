import type { Browser, Page } from "playwright-core";
import { serveDashboard } from "../../../visualise/main.ts";
import { createServer } from "../../../visualise/server.ts";
import { hiddenZones } from "../../../visualise/live/stage_states.ts";
import { Warehouse } from "../../../visualise/warehouse.ts";
import { findChromium, openBrowser } from "../../../embedded/browser.ts";
import { openPlatform, type Platform } from "../platform.ts";
import type { TestDatabase } from "../servers/postgres.ts";
import { fillSmall } from "../companies/small_source.ts";

const executable = await findChromium();
if (executable === undefined) {
  const message =
    "no Chromium is installed: the dashboard's pages are not tested";
  if (Deno.env.get("CI") !== undefined) throw new Error(message);
  console.log(message);
}
let browser: Browser | undefined;

/** Tests in the browser, which is shared by those of a file. */
export function testPage(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name,
    ignore: executable === undefined,
    // The browser outlives the tests that share it.
    sanitizeOps: false,
    sanitizeResources: false,
    fn,
  });
}

// After the tests of a file.
Deno.test.afterAll(async () => {
  await browser?.close();
  browser = undefined;
});

/** A page that has kept nothing. */
export async function openPage(locale = "en-GB"): Promise<Page> {
  browser ??= await openBrowser(executable ?? "");
  return await browser.newPage({
    viewport: { width: 1280, height: 900 },
    locale,
  });
}

/** Opens the dashboard in a page, and keeps whatever it reports. */
export async function open(
  address: string,
  locale?: string,
): Promise<{ page: Page; errors: string[] }> {
  const page = await openPage(locale);
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(address);
  await page.waitForSelector("body[data-batch]");
  return { page, errors };
}

/** Waits until a page shows that batch. */
export async function batchShown(page: Page, batch: number): Promise<void> {
  await page.waitForSelector(`body[data-batch="${batch}"]`);
}

/** What a card of figures says, exactly. */
export async function card(page: Page, name: string): Promise<string> {
  return await page.locator(`[data-card="${name}"] .card-value`)
    .getAttribute("title") ?? "";
}

/** How many orders or payments a card counts. */
export async function counted(page: Page, name: string): Promise<string> {
  return await page.locator(`[data-card="${name}"] b`).innerText();
}

/** Waits until the overview counts so many sales orders. */
export async function ordersShown(page: Page, count: number): Promise<void> {
  await page.locator("[data-card=sales] b")
    .getByText(String(count), { exact: true }).waitFor();
}

/** Sets a field, as a person does who then goes on. */
export async function choose(
  page: Page,
  field: string,
  value: string,
): Promise<void> {
  if (!await page.locator(field).isVisible()) {
    await page.locator("#filters summary").click();
  }
  await page.locator(field).fill(value);
  await page.locator(field).dispatchEvent("change");
}

/** Turns a chart into its table, or back. */
export async function toggleTable(page: Page, id: string): Promise<void> {
  await page.locator(`[data-chart=${id}]`)
    .getByRole("button", { name: "Table" }).click();
}

/** The rows of a chart's table as text, without the buttons. */
export async function tableRows(page: Page, id: string): Promise<string[][]> {
  const rows = await page.locator(`[data-chart=${id}] tbody tr`).all();
  return await Promise.all(
    rows.map(async (row) =>
      (await row.locator("td").allInnerTexts()).slice(0, -1)
    ),
  );
}

/** What a plot draws, by series, as its marks and their heights say. */
export async function drawnSeries(
  page: Page,
  id: string,
): Promise<{ name: string; color: string; data: number[] }[]> {
  const marks = await page.evaluate(
    `[...document.querySelectorAll("[data-chart=${id}] [data-value]")]
      .map((mark) => ({
        name: mark.dataset.series,
        color: getComputedStyle(mark).fill,
        value: Number(mark.dataset.value),
      }))`,
  ) as { name: string; color: string; value: number }[];
  const series = Map.groupBy(marks, ({ name }) => name);
  return [...series].map(([name, own]) => ({
    name,
    color: own[0]?.color ?? "",
    data: own.map(({ value }) => value),
  }));
}

/** A property of the element that a selector finds first. */
export async function propertyOf(
  page: Page,
  selector: string,
  property: string,
): Promise<unknown> {
  return await page.evaluate(
    `document.querySelector(${JSON.stringify(selector)}).${property}`,
  );
}

/** A figure whichever way it is written; other text as it is. */
export function plain(text: string | null): string {
  const bare = (text ?? "").replaceAll(",", "");
  return /^-?\d+(\.\d+)?$/.test(bare) ? String(Number(bare)) : text ?? "";
}

/** A platform whose first batch is loaded. */
export async function loaded(): Promise<Platform> {
  const platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  return platform;
}

/** A dashboard on the warehouse of a platform. */
export class Served implements AsyncDisposable {
  readonly #stopping = new AbortController();
  readonly #served: Promise<void>;
  readonly address: Promise<string>;

  constructor(
    platform: Platform,
    options: {
      port?: number;
      token?: string;
      analyst?: TestDatabase["settings"];
    } = {},
  ) {
    const { port = 0, token, analyst = platform.warehouse.settings } = options;
    platform.set({
      analyst,
      dashboard: { host: "127.0.0.1", port, token, proxies: 0 },
    });
    const context = { ...platform.context, signal: this.#stopping.signal };
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.address = promise;
    this.#served = serveDashboard(context, resolve);
    this.#served.catch(reject);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#served;
  }
}

/** The warehouse of a platform, as the dashboard reads it. */
export function openWarehouse(
  { warehouse, context }: Platform,
  statementTimeoutMs?: number,
): Warehouse {
  const { connect } = context.resources;
  return new Warehouse(warehouse.settings, connect, statementTimeoutMs);
}

/**
 * The dashboard's server where answers can't stream, and nobody is asked unless
 * there is a token.
 */
export function withoutStream(
  { context: { sql, log, clock, config: { freshnessMinutesMax } } }: Platform,
  warehouse: Warehouse,
  options: { token?: string; proxies?: number; clock?: () => Date } = {},
): ReturnType<typeof createServer> {
  return createServer({
    sql,
    warehouse,
    live: undefined,
    readZones: hiddenZones,
    log,
    freshnessMinutesMax,
    token: options.token,
    proxies: options.proxies ?? 0,
    clock: options.clock ?? clock,
  });
}

/** A way to a server that can be cut without a word to either side. */
export class CutWay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  /** What came before it is forwarded no more. */
  cutAt = 0;
  /** Whether whoever comes is sent away. */
  closed = false;

  constructor(private readonly to: { host: string; port: number }) {
    this.#serve();
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async #serve(): Promise<void> {
    for await (const here of this.#listener) {
      if (this.closed) {
        here.close();
        continue;
      }
      const began = performance.now();
      const there = await Deno.connect({
        hostname: this.to.host,
        port: this.to.port,
      });
      for (const one of [here, there]) this.#open.add(one);
      const forward = async (from: Deno.Conn, to: Deno.Conn) => {
        const bytes = new Uint8Array(65_536);
        for (;;) {
          const count = await from.read(bytes);
          if (count === null) break;
          if (began < this.cutAt) continue;
          await to.write(bytes.subarray(0, count));
        }
        await to.closeWrite();
      };
      forward(here, there).catch(() => {});
      forward(there, here).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const one of this.#open) {
      try {
        one.close();
      } catch {
        // It is closed.
      }
    }
    await new Promise((wake) => setTimeout(wake));
  }
}
