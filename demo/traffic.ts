import { setTimeout as delay } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import { Random } from "./random.ts";
import {
  act,
  type Change,
  prepareActions,
  TOTESYS_TRAFFIC,
  type TrafficScript,
} from "./traffic_actions.ts";

const SHORT_WRITERS = 3;
const LONG_WRITERS = 2;
const LONG_SECONDS = { least: 5, most: 20 };
const RECONNECTS_MAX = 20;
const RECONNECT_MS_MAX = 5_000;

/** How `runTraffic` behaves. */
export interface TrafficOptions {
  /** The source's connection URL. */
  url: string;
  /** Decides, with the data found, what each writer does. */
  seed: number;
  /** Ends the traffic; open transactions are rolled back. */
  signal: AbortSignal;
  /** Short transactions; the long ones come on top. */
  transactionsPerSecond: number;
  /** What the traffic does; that of Totesys if left out. */
  script?: TrafficScript;
  /** How long a long transaction stays open; 5 to 20 s if left out. */
  longSeconds?: { least: number; most: number };
  /** Called with each change, once it is committed or was undone. */
  onEvent?: (event: TrafficEvent) => void;
}

/**
 * An event for a display. `open` is a long transaction that has written and
 * waits, `rollback` a change undone on purpose, `conflict` an action that gave
 * way to another writer's, `reconnect` a lost connection.
 */
export interface TrafficEvent {
  kind: Change["kind"] | "open" | "rollback" | "conflict" | "reconnect";
  /** Empty for conflict and reconnect. */
  table: string;
  count: number;
}

/**
 * Writes to a filled source as its application would, over five connections:
 * short transactions, some with savepoints, some rolled back, and long ones
 * that stay open while others commit. Returns soon after the signal; throws if
 * the server can't be reached for about a minute and a half.
 */
export async function runTraffic(options: TrafficOptions): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const pauseMs = 1000 * SHORT_WRITERS / options.transactionsPerSecond;
  const { script = TOTESYS_TRAFFIC } = options;
  const writers = Array.from(
    { length: SHORT_WRITERS + LONG_WRITERS },
    (_, number): Writer => ({
      ...options,
      script,
      signal,
      random: new Random(options.seed * 1000 + number),
      pauseMs,
      transaction: number < SHORT_WRITERS ? shortTransaction : longTransaction,
    }),
  );
  await connected(options, (client) => prepareActions(client, script));
  const running = writers.map(async (writer) => {
    try {
      await write(writer);
    } catch (error) {
      failed.abort();
      throw error;
    }
  });
  const results = await Promise.allSettled(running);
  const failure = results.find(({ status }) => status === "rejected");
  if (failure?.status === "rejected") throw failure.reason;
}

interface Writer extends TrafficOptions {
  script: TrafficScript;
  random: Random;
  pauseMs: number;
  transaction(client: Client, writer: Writer): Promise<TrafficEvent[]>;
}

async function write(writer: Writer): Promise<void> {
  let lost = 0;
  while (!writer.signal.aborted) {
    try {
      await connected(writer, async (client) => {
        while (!writer.signal.aborted) {
          await transact(client, writer);
          lost = 0;
          await pause(writer.pauseMs, writer.signal);
        }
      });
    } catch (error) {
      if (writer.signal.aborted) return;
      if (!isConnectionLost(error) || ++lost > RECONNECTS_MAX) throw error;
      writer.onEvent?.({ kind: "reconnect", table: "", count: lost });
      await pause(Math.min(250 * 2 ** lost, RECONNECT_MS_MAX), writer.signal);
    }
  }
}

async function connected(
  { url }: { url: string },
  use: (client: Client) => Promise<void>,
): Promise<void> {
  const client = new Client({
    connectionString: url,
    application_name: "demo traffic",
    options: "-c lock_timeout=2s -c timezone=UTC",
  });
  // If the connection is lost while idle, the next statement throws.
  client.on("error", () => {});
  try {
    await client.connect();
    await use(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Runs a transaction. Conflicts are part of the traffic: one gives way. */
async function transact(client: Client, writer: Writer): Promise<void> {
  let events: TrafficEvent[];
  try {
    await client.query("begin");
    events = await writer.transaction(client, writer);
  } catch (error) {
    if (!isConflict(error)) throw error;
    await client.query("rollback");
    events = [{ kind: "conflict", table: "", count: 1 }];
  }
  for (const event of events) writer.onEvent?.(event);
}

/** How short transactions end, and what becomes of their second half. */
const SHORT_SHAPES = [
  { weight: 80, end: "commit" },
  { weight: 10, savepoint: "release", end: "commit" },
  { weight: 5, savepoint: "rollback to", end: "commit" },
  { weight: 5, end: "rollback" },
] as const;

async function shortTransaction(
  client: Client,
  writer: Writer,
): Promise<TrafficEvent[]> {
  const shape: { savepoint?: string; end: string } = writer.random.weighted(
    SHORT_SHAPES,
  );
  const changes: TrafficEvent[] = await act(client, writer);
  if (shape.savepoint !== undefined) {
    await client.query("savepoint halfway");
    const after = await act(client, writer);
    await client.query(`${shape.savepoint} savepoint halfway`);
    changes.push(...shape.savepoint === "release" ? after : undone(after));
  }
  await client.query(shape.end);
  return shape.end === "commit" ? changes : undone(changes);
}

async function longTransaction(
  client: Client,
  writer: Writer,
): Promise<TrafficEvent[]> {
  const { random, signal, onEvent, longSeconds = LONG_SECONDS } = writer;
  const before = await act(client, writer);
  for (const change of before) onEvent?.({ ...change, kind: "open" });
  const seconds = random.between(longSeconds.least, longSeconds.most);
  const isKept = random.fraction() < 0.8;
  await pause(1000 * seconds, signal);
  const after = signal.aborted ? [] : await act(client, writer);
  if (signal.aborted || !isKept) {
    await client.query("rollback");
    return undone([...before, ...after]);
  }
  await client.query("commit");
  return [...before, ...after];
}

function undone(changes: readonly TrafficEvent[]): TrafficEvent[] {
  return changes.map((change) => ({ ...change, kind: "rollback" }));
}

/** Waits; ends early, without an error, if the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

/** Serialization failure, deadlock, lock timeout, broken reference or key. */
function isConflict(error: unknown): boolean {
  return error instanceof DatabaseError &&
    /^(40|23|55P03)/.test(error.code ?? "");
}

/** Shut down, starting up, too many connections, or no answer at all. */
function isConnectionLost(error: unknown): boolean {
  if (error instanceof DatabaseError) {
    return /^(57P|08|53300)/.test(error.code ?? "");
  }
  return error instanceof Error && !(error instanceof TypeError);
}
