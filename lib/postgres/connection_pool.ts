import type pg from "pg";
import type { Resources } from "../stage.ts";
import type { Connection } from "./postgres.ts";
import { isPooled } from "./postgres.ts";

/** How many connections of a kind are kept; others are ended. */
const KEPT_MAX = 4;
const ANSWER_TIMEOUT_MS = 2_000;
/**
 * How the server notices that a process is gone: Lambda ends a function without
 * a word, and its connections would count against the role's limit for hours.
 * The limit of idle time is for proxies, which answer for who is gone; it is
 * longer than the 15 minutes between two runs. An older server may lack a
 * setting: each is looked up by name, since reading `pg_settings` would take
 * longer than all the rest.
 */
const NOTICED_GONE = `select set_config(name, value, false)
  from (values ('tcp_keepalives_idle', '60'), ('tcp_keepalives_interval', '10'),
    ('tcp_keepalives_count', '3'), ('idle_session_timeout', '20min')
  ) as wanted (name, value)
  where current_setting(name, true) is not null`;

/**
 * Keeps connections open between the runs of one process. A connection is
 * handed out again as if it were new: its session is reset. One that died
 * meanwhile is replaced. A session behind a pooler is not ours to reset.
 */
export class ConnectionPool implements AsyncDisposable {
  readonly #kept = new Map<string, Connection[]>();

  constructor(private readonly open: Resources["connect"]) {}

  /** Like `connect` of lib/postgres/connect.ts, with a kept connection. */
  readonly connect: Resources["connect"] = async (settings, options) => {
    const { signal, ...given } = options;
    const kind = JSON.stringify([settings, given]);
    const connection = await this.#revive(kind) ??
      await this.#openWatched(settings, given);
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

  /** Ends all kept connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#kept.values()].flat();
    this.#kept.clear();
    for (const connection of all) await connection[Symbol.asyncDispose]();
  }

  async #openWatched(
    ...given: Parameters<Resources["connect"]>
  ): Promise<Connection> {
    const connection = await this.open(...given);
    await inTime(noticeWhenGone(connection.client));
    return connection;
  }

  async #revive(kind: string): Promise<Connection | undefined> {
    const kept = this.#kept.get(kind) ?? [];
    for (let one = kept.pop(); one !== undefined; one = kept.pop()) {
      const { client } = one;
      if (await inTime(client.query("select 1"))) return one;
      await one[Symbol.asyncDispose]();
    }
    return undefined;
  }

  /** Resets first: a frozen process must hold no lock and no snapshot. */
  async #keep(kind: string, connection: Connection): Promise<boolean> {
    const kept = this.#kept.get(kind) ?? [];
    if (kept.length >= KEPT_MAX) return false;
    const { client } = connection;
    if (!await inTime(empty(client))) return false;
    kept.push(connection);
    this.#kept.set(kind, kept);
    return true;
  }
}

async function empty(client: pg.Client): Promise<void> {
  await client.query("rollback");
  if (await isPooled(client)) return;
  await client.query("discard all");
  await client.query(NOTICED_GONE);
}

async function noticeWhenGone(client: pg.Client): Promise<void> {
  if (!await isPooled(client)) await client.query(NOTICED_GONE);
}

/** Whether the server answered without an error, and soon. */
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
