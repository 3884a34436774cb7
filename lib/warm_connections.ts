import type { Connection } from "./postgres.ts";
import { prepareSession } from "./postgres.ts";
import type { Resources } from "./stage.ts";

/** Connections of one kind that are kept; more are ended. */
const KEPT_MAX = 4;
const ANSWER_TIMEOUT_MS = 2_000;

/**
 * Keeps connections open between the runs of one process. A connection is
 * handed out again as if it were new: nothing of its session is left. One that
 * died meanwhile is replaced.
 */
export class WarmConnections implements AsyncDisposable {
  readonly #kept = new Map<string, Connection[]>();

  constructor(private readonly open: Resources["connect"]) {}

  /** As `connect` of lib/postgres.ts. */
  readonly connect: Resources["connect"] = async (settings, options) => {
    const { signal, ...given } = options;
    const kind = JSON.stringify([settings, given]);
    const connection = await this.#revive(kind, given) ??
      await this.open(settings, given);
    const stop = () => void connection[Symbol.asyncDispose]();
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted === true) stop();
    return {
      client: connection.client,
      [Symbol.asyncDispose]: async () => {
        signal?.removeEventListener("abort", stop);
        if (signal?.aborted !== true && await this.#keep(kind, connection)) {
          return;
        }
        await connection[Symbol.asyncDispose]();
      },
    };
  };

  /** Ends all that are kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#kept.values()].flat();
    this.#kept.clear();
    for (const connection of all) await connection[Symbol.asyncDispose]();
  }

  async #revive(
    kind: string,
    { bare }: { bare?: boolean },
  ): Promise<Connection | undefined> {
    const kept = this.#kept.get(kind) ?? [];
    for (let one = kept.pop(); one !== undefined; one = kept.pop()) {
      const { client } = one;
      const tried = bare === true
        ? client.query("select")
        : prepareSession(client);
      if (await inTime(tried)) return one;
      await one[Symbol.asyncDispose]();
    }
    return undefined;
  }

  /** A frozen process must hold no lock and no snapshot. */
  async #keep(kind: string, connection: Connection): Promise<boolean> {
    const kept = this.#kept.get(kind) ?? [];
    if (kept.length >= KEPT_MAX) return false;
    const { client } = connection;
    const emptied = client.query("rollback")
      .then(() => client.query("discard all"));
    if (!await inTime(emptied)) return false;
    kept.push(connection);
    this.#kept.set(kind, kept);
    return true;
  }
}

/** Whether the server did as it was told, and soon. */
async function inTime(work: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((done) => {
    timer = setTimeout(() => done(false), ANSWER_TIMEOUT_MS);
  });
  const done = work.then(() => true, () => false);
  const answered = await Promise.race([done, late]);
  clearTimeout(timer);
  return answered;
}
