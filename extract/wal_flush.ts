import type pg from "pg";
import { setTimeout as sleep } from "node:timers/promises";
import type { IngestionManifest } from "../lib/batches/manifest.ts";
import { queryRow } from "../lib/postgres/postgres.ts";
import { isIdleSince } from "./plan_reads.ts";
import { askInSavepoint } from "./server_state.ts";
import type { Snapshot } from "./snapshot.ts";

/**
 * Postgres flushes the end of every transaction, a rollback's too, within this
 * number of the WAL writer's delays:
 * https://www.postgresql.org/docs/18/wal-async-commit.html
 */
const DELAYS_MAX = 3;
const PAUSE_MS = 20;

const WAL_END = `select pg_current_wal_insert_lsn()::text as value
  where pg_current_wal_flush_lsn() is not null`;
const IS_FLUSHED =
  `select (pg_current_wal_flush_lsn() >= $1::pg_lsn)::text as flushed,
    setting as delay_ms from pg_settings where name = 'wal_writer_delay'`;

/**
 * Where the source's WAL ends, once a snapshot has been taken: the end of each
 * transaction that it sees as ended comes before. Undefined if the server does
 * not show it, and on a standby, which replays only what was flushed.
 */
export async function readWalEnd(
  client: pg.Client,
  { inRecovery }: { inRecovery: boolean },
): Promise<string | undefined> {
  return inRecovery ? undefined : (await askInSavepoint(client, WAL_END)).value;
}

/**
 * Waits until the source would still have, after a crash, each transaction that
 * a snapshot sees as ended. One that it lost would give its id to another,
 * whose rows the next batch would take for shipped. If none has ended since the
 * batch before, there is nothing to wait for.
 *
 * What an open transaction has written, and what a reader has tidied up, may be
 * flushed much later, so the wait is over when what matters must be.
 */
export async function waitForFlush(
  snapshot: Snapshot,
  options: {
    previous: IngestionManifest | undefined;
    signal: AbortSignal;
  },
): Promise<void> {
  const { previous, signal } = options;
  const { walEnd } = snapshot;
  if (walEnd === undefined) return;
  if (previous !== undefined && isIdleSince(snapshot, previous.source)) return;
  const startMs = performance.now();
  await snapshot.use(async (client) => {
    for (;;) {
      const row = await queryRow(client, IS_FLUSHED, [walEnd]);
      if (row.flushed === "true") return;
      const waitedMs = performance.now() - startMs;
      if (waitedMs > DELAYS_MAX * Number(row.delay_ms)) return;
      await sleep(PAUSE_MS, undefined, { signal });
    }
  });
}
