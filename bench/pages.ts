/**
 * A worker of `bench:dashboard`: many open pages, as far as the server can
 * tell. Each hears the events and then asks for what the page asks for.
 */

/** What the pages have seen. */
export interface PagesReport {
  batches: number;
  /** Figures of a batch that a page got. */
  seen: number;
  errors: number;
  /** From a batch's commit to its figures, in order. */
  delaysMs: number[];
}

interface Task {
  address: string;
  token: string;
  pages: number;
}

const batches = new Set<string>();
const delaysMs: number[] = [];
let errors = 0;
const scope = self as unknown as {
  onmessage: (event: { data: Task | "report" }) => void;
  postMessage: (report: PagesReport) => void;
};

scope.onmessage = async ({ data }) => {
  if (data !== "report") {
    await Promise.all(Array.from({ length: data.pages }, () => open(data)));
  }
  scope.postMessage({
    batches: batches.size,
    seen: delaysMs.length,
    errors,
    delaysMs: delaysMs.toSorted((a, b) => a - b),
  });
};

/** Resolves when it is connected; it goes on listening. */
async function open(task: Task): Promise<void> {
  const events = await ask(task, "events");
  (async () => {
    const texts = events.body?.pipeThrough(new TextDecoderStream()) ?? [];
    for await (const text of texts) {
      if (text.includes("event: batch")) await refresh(task);
    }
  })().catch(() => errors += 1);
}

async function refresh(task: Task): Promise<void> {
  try {
    const { batch, loaded_at } = await (await ask(task, "api/newest")).json();
    await (await ask(task, `api/overview/${batch}`)).bytes();
    batches.add(batch);
    const time = String(loaded_at).replace(" ", "T").replace(/\+00$/, "Z");
    delaysMs.push(Date.now() - Date.parse(time));
  } catch {
    errors += 1;
  }
}

async function ask({ address, token }: Task, path: string): Promise<Response> {
  const answer = await fetch(address + path, {
    headers: { authorization: `Bearer ${token}` },
  });
  if (answer.ok) return answer;
  await answer.body?.cancel();
  throw new Error(`HTTP ${answer.status}`);
}
