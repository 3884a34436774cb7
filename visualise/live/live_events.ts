import type { Logger } from "@logtape/logtape";
import type pg from "pg";
import { setTimeout as sleep } from "node:timers/promises";
import { LOAD_CHANNEL } from "../../lib/batches/load_channel.ts";
import { messageOf } from "../../lib/errors.ts";
import { isPooled, sqlState } from "../../lib/postgres/postgres.ts";
import type { TextRow } from "../../lib/sql/quote.ts";
import type { PostgresSettings } from "../../lib/settings/config.ts";
import type { Resources } from "../../lib/stage.ts";
import { isBeforeFirstLoad } from "./latest_batch.ts";

/**
 * Events for open pages. A turn is another number after each event that may
 * have changed the answers: a page that read with it need not read again.
 */
export type LiveEvent =
  | { type: "batch"; batch: number; turn: number }
  /** Any batch may have changed: a rebuild, or a resync. */
  | { type: "reset"; turn: number }
  /** Whether the connection to the warehouse is up. */
  | { type: "link"; up: boolean; turn: number }
  /** The server ends: pages reconnect, to its successor. */
  | { type: "end" };

/** `read_only_sql_transaction`. */
const READ_ONLY = "25006";
const RETRY_MS = 1_000;
/** How often the connection is probed: one that was cut is merely silent. */
const PROBE_MS = 5_000;
/** `query_timeout` is the client's own limit, missing in its types. */
const PROBE = { text: "select 1", query_timeout: PROBE_MS };

const NEWEST = {
  text: "select batch, lake_id from pipeline.batch order by batch desc limit 1",
  query_timeout: PROBE_MS,
};

/** What following the warehouse needs. */
interface LiveOptions {
  connect: Resources["connect"];
  log: Logger;
  signal: AbortSignal;
}

/**
 * Listens for committed batches, and passes them on. Behind a pooler and on a
 * standby, where LISTEN doesn't work, it polls every few seconds.
 */
export class Live {
  readonly #listeners = new Set<(event: LiveEvent) => void>();
  #up = false;
  #ended = false;
  #isPolling = false;
  // Unlike those of a server before this one.
  #turn = Date.now();

  /** The number of the latest event that may have changed the answers. */
  get turn(): number {
    return this.#turn;
  }

  /** Whether it polls: then it learns of batches, but of no rebuild. */
  get isPolling(): boolean {
    return this.#isPolling;
  }

  /** Calls back for each event, and once at once; returns what ends that. */
  listen(listener: (event: LiveEvent) => void): () => void {
    this.#listeners.add(listener);
    listener(
      this.#ended
        ? { type: "end" }
        : { type: "link", up: this.#up, turn: this.#turn },
    );
    return () => this.#listeners.delete(listener);
  }

  /** Stays connected to the warehouse until the signal is aborted. */
  async run(settings: PostgresSettings, options: LiveOptions): Promise<void> {
    const { log, signal } = options;
    let told = false;
    while (!signal.aborted) {
      try {
        await this.#follow(settings, options, () => told = false);
      } catch (error) {
        if (signal.aborted) break;
        if (!told) {
          told = true;
          log.warn("cannot listen to the warehouse: {reason}", {
            reason: messageOf(error),
          });
        }
      }
      this.#setUp(false);
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
    this.#ended = true;
    this.#tell({ type: "end" });
  }

  /** Follows the warehouse over one connection, until it is lost. */
  async #follow(
    settings: PostgresSettings,
    { connect, log, signal }: LiveOptions,
    onConnect: () => void,
  ): Promise<void> {
    await using connection = await connect(settings, {
      purpose: "dashboard, live",
      signal,
    });
    const { client } = connection;
    client.on("notification", ({ payload }) => this.#hear(payload));
    const noListen = await listenOn(client);
    this.#isPolling = noListen !== undefined;
    if (noListen !== undefined) {
      log.warn(
        "the warehouse is {noListen}, where LISTEN doesn't work: polling for batches every {seconds} s",
        { noListen, seconds: PROBE_MS / 1000 },
      );
    }
    let newest = this.#isPolling ? await readNewest(client) : undefined;
    this.#setUp(true);
    onConnect();
    while (!signal.aborted) {
      if (this.#isPolling) newest = await this.#poll(client, newest);
      else await client.query(PROBE);
      await sleep(PROBE_MS, undefined, { signal });
    }
  }

  /** Passes on a notification: a batch's number, or else a reset. */
  #hear(payload: string | undefined): void {
    const batch = Number(payload);
    const turn = this.#nextTurn();
    this.#tell(
      Number.isInteger(batch)
        ? { type: "batch", batch, turn }
        : { type: "reset", turn },
    );
  }

  /** Passes on what differs from the newest batch known; returns the new one. */
  async #poll(
    client: pg.Client,
    newest: TextRow | undefined,
  ): Promise<TextRow | undefined> {
    const now = await readNewest(client);
    if (now?.lake_id !== newest?.lake_id) {
      this.#tell({ type: "reset", turn: this.#nextTurn() });
    }
    if (now?.batch !== newest?.batch) {
      const batch = Number(now?.batch ?? 0);
      this.#tell({ type: "batch", batch, turn: this.#nextTurn() });
    }
    return now;
  }

  #setUp(up: boolean): void {
    if (up === this.#up) return;
    this.#up = up;
    this.#tell({ type: "link", up, turn: this.#nextTurn() });
  }

  #nextTurn(): number {
    this.#turn += 1;
    return this.#turn;
  }

  #tell(event: LiveEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Listens for batches; returns what keeps it from that, if anything does. */
async function listenOn(client: pg.Client): Promise<string | undefined> {
  if (await isPooled(client)) return "behind a pooler";
  try {
    await client.query(`listen ${LOAD_CHANNEL}`);
    return undefined;
  } catch (error) {
    if (sqlState(error) === READ_ONLY) return "a standby";
    throw error;
  }
}

/** The newest batch; undefined before the first load. */
async function readNewest(client: pg.Client): Promise<TextRow | undefined> {
  try {
    return (await client.query<TextRow>(NEWEST)).rows[0];
  } catch (error) {
    if (isBeforeFirstLoad(error)) return undefined;
    throw error;
  }
}
