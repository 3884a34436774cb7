import type { TextRow } from "../sql/quote.ts";
import type { BatchLog } from "./batch_log.ts";
import { type FailureNote, readFailureNote } from "./failure_note.ts";
import type { Manifest } from "./manifest.ts";

/** What extract or transform has come to, by its zone. */
export interface StageProgress<M extends Manifest> {
  newest: M | undefined;
  /** The error of its newest run, unless its batch is committed since. */
  failure: FailureNote | undefined;
}

/** Reads a stage's newest batch, and why it failed at a later one. */
export async function readStageProgress<M extends Manifest>(
  log: BatchLog<M>,
): Promise<StageProgress<M>> {
  const newest = await log.newest();
  const note = await readFailureNote(log);
  const isLater = note !== undefined && note.batch > (newest?.batch ?? 0);
  return { newest, failure: isLater ? note : undefined };
}

/** Load's failure: the row of `load_failure.sql`, if there is one. */
export function loadFailureOf(
  row: TextRow | undefined,
): FailureNote | undefined {
  if (row === undefined) return undefined;
  return {
    batch: Number(row.batch),
    since: row.since ?? "",
    at: row.at ?? "",
    message: row.message ?? "",
    ...(row.hint ? { hint: row.hint } : {}),
    retryable: row.retryable === "t",
  };
}

/**
 * How many batches are pending for a stage, `before` being the newest batch of
 * the stage before it, and its failure. A stage with nothing pending is not
 * stuck: no batch caused its failure.
 */
export function pendingFor<Failure>(
  stage: { batch?: number | null; failure?: Failure },
  before: number,
): { pending: number; failure: Failure | undefined } {
  const pending = Math.max(0, before - (stage.batch ?? 0));
  return { pending, failure: pending === 0 ? undefined : stage.failure };
}
