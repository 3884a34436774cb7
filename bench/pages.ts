/**
 * A worker of `bench:dashboard`: many clients that are open pages to the
 * server. Each listens for batches and makes the page's requests; like the
 * page, it repeats them if a batch arrived meanwhile.
 */

/** Counts and delays over all pages. */
export interface PagesReport {
  batches: number;
  /** How often a page got the figures of a batch. */
  seen: number;
  /** Answers that failed, and streams that ended. */
  errors: number;
  /** Pages without the figures of the newest batch. */
  behind: number;
  /** From a batch's commit to its figures, in order. */
  delaysMs: number[];
}

interface Task {
  address: string;
  token: string;
  pages: number;
}

/** What a page that was opened without choices asks for. */
const SHOWN = "period=12m&lists=sales&currency=";

const delaysMs: number[] = [];
const batches = new Set<number>();
const pages: Page[] = [];
let errors = 0;
const scope = self as unknown as {
  onmessage: (event: { data: Task | "report" }) => void;
  postMessage: (report: PagesReport) => void;
};

scope.onmessage = async ({ data }) => {
  if (data !== "report") {
    await Promise.all(
      Array.from({ length: data.pages }, () => {
        const page = new Page(data);
        pages.push(page);
        return page.open();
      }),
    );
  }
  const newest = Math.max(...batches);
  scope.postMessage({
    batches: batches.size,
    seen: delaysMs.length,
    errors,
    behind: pages.filter(({ batch }) => batch < newest).length,
    delaysMs: delaysMs.toSorted((a, b) => a - b),
  });
};

class Page {
  batch = 0;
  #busy = false;
  #again = false;

  constructor(private readonly task: Task) {}

  /** Connects, and keeps listening. */
  async open(): Promise<void> {
    const events = await this.#ask("events");
    (async () => {
      const texts = events.body?.pipeThrough(new TextDecoderStream()) ?? [];
      for await (const text of texts) {
        if (text.includes("event: batch")) this.#follow();
      }
    })().catch(() => {}).then(() => errors += 1);
  }

  #follow(): void {
    if (this.#busy) this.#again = true;
    else void this.#refresh();
  }

  async #refresh(): Promise<void> {
    this.#busy = true;
    do {
      this.#again = false;
      try {
        const { newest } = await (await this.#ask("api/newest")).json();
        const batch = Number(newest.batch);
        await (await this.#ask(`api/overview/${batch}?${SHOWN}`)).bytes();
        this.#saw(batch, newest.loaded_at);
      } catch {
        errors += 1;
      }
    } while (this.#again);
    this.#busy = false;
  }

  #saw(batch: number, loadedAt: string): void {
    if (batch === this.batch) return;
    this.batch = batch;
    batches.add(batch);
    const time = loadedAt.replace(" ", "T").replace(/\+00$/, "Z");
    delaysMs.push(Date.now() - Date.parse(time));
  }

  async #ask(path: string): Promise<Response> {
    const { address, token } = this.task;
    const answer = await fetch(address + path, {
      headers: { authorization: `Bearer ${token}` },
    });
    if (answer.ok) return answer;
    await answer.body?.cancel();
    throw new Error(`HTTP ${answer.status}`);
  }
}
