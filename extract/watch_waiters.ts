import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, StageError } from "../lib/errors.ts";
import type pg from "pg";
import { query } from "../lib/postgres/postgres.ts";
import type { TextRow } from "../lib/sql/quote.ts";
import type { StageContext } from "../lib/stage.ts";
import type { SecondConnection } from "./second_connection.ts";
import { ANSWER_MS_MAX } from "./guest_transaction.ts";
import waitersSql from "./waiters.sql" with { type: "text" };

/** Which locks are watched, and how long others may wait for them. */
export interface WatchOptions {
  /** The connection from which they are watched. */
  second: SecondConnection;
  /** The processes that hold locks, and when their server started. */
  pids: readonly string[];
  server: string;
  yieldSeconds: number;
  log: StageContext["log"];
  /** Called once, after the processes have been ended. */
  gaveWay: (reason: StageError) => void;
}

const EVERY_MS_MAX = 1000;
const FAILURES_MAX = 3;
const END_MS_MAX = 1000;

/**
 * Checks once a second which transactions wait for a lock that extract holds.
 * When one has waited too long, the server ends all of extract's sessions at
 * once: it may be slow to notice that a client is gone.
 */
export function watchWaiters(options: WatchOptions): AsyncDisposable {
  const { second, pids, server, yieldSeconds, log } = options;
  const stopped = new AbortController();
  const waits = new Map<string, Wait>();
  const everyMs = Math.min(EVERY_MS_MAX, yieldSeconds * 500);
  /** Null if nobody has waited for too long. */
  const look = async (client: pg.Client): Promise<StageError | null> => {
    const rows = await query(client, waitersSql, [[...pids], server]);
    const longest = longestWait(waits, { rows, everyMs });
    if (longest === undefined || longest.seconds < yieldSeconds) return null;
    await query(
      client,
      "select pg_terminate_backend(pid) from pg_catalog.unnest($1::integer[]) as pid",
      [[...pids]],
    ).catch(() => {});
    return yielded(longest, yieldSeconds);
  };
  const watching = (async () => {
    for (let failures = 0; failures < FAILURES_MAX;) {
      await sleep(everyMs, undefined, { signal: stopped.signal })
        .catch(() => {});
      if (stopped.signal.aborted) return;
      try {
        const reason = await second.use(look, {
          answerMsMax: ANSWER_MS_MAX,
        });
        if (reason === undefined) throw new Error("its connection has ended");
        failures = 0;
        if (reason === null) continue;
        options.gaveWay(reason);
        return;
      } catch (error) {
        failures++;
        if (failures < FAILURES_MAX || stopped.signal.aborted) continue;
        log.warn(
          "stopped watching for transactions of the source that wait for extract: {reason}",
          { reason: messageOf(error) },
        );
      }
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      stopped.abort();
      const timer = new AbortController();
      const late = sleep(END_MS_MAX, undefined, { signal: timer.signal });
      await Promise.race([watching, late.catch(() => {})]);
      timer.abort();
    },
  };
}

/** Seconds waited: for locks that it got by now, and for the current one. */
interface Wait {
  past: number;
  now: number;
}

/** A transaction that waits, and its total wait. */
interface Waiter {
  row: TextRow;
  seconds: number;
}

/** Updates the waits, and returns the longest that is still going on. */
function longestWait(
  waits: Map<string, Wait>,
  options: { rows: TextRow[]; everyMs: number },
): Waiter | undefined {
  const { rows, everyMs } = options;
  const seen = new Map(rows.map((row) => [row.transaction ?? "", row]));
  for (const [transaction, wait] of waits) {
    if (seen.has(transaction)) continue;
    wait.past += wait.now;
    wait.now = 0;
  }
  let longest: Waiter | undefined;
  for (const [transaction, row] of seen) {
    const wait = waits.get(transaction) ?? { past: 0, now: 0 };
    // A standby's startup process does not show since when it has waited.
    const now = row.seconds === null
      ? wait.now + everyMs / 1000
      : Number(row.seconds);
    if (now < wait.now) wait.past += wait.now;
    wait.now = now;
    waits.set(transaction, wait);
    const seconds = wait.past + wait.now;
    if (seconds > (longest?.seconds ?? -1)) longest = { row, seconds };
  }
  return longest;
}

function yielded({ row, seconds }: Waiter, yieldSeconds: number): StageError {
  // CREATE INDEX CONCURRENTLY and its like wait for older snapshots to end.
  const target = row.target === null
    ? "extract's snapshot to end"
    : `a lock on ${row.target} that extract holds`;
  return new StageError(
    `Cannot go on reading the source: process ${row.pid} of ${row.who} has waited ${
      seconds.toFixed(1)
    } s for ${target}`,
    {
      subject: row.target ?? "source",
      retryable: true,
      hint:
        `Run extract again; SOURCE_LOCK_YIELD_SECONDS (now ${yieldSeconds}) sets how long others may wait for it; 0 lets them wait until it has read all`,
    },
  );
}
