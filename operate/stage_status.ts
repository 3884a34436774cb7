import type { FailureNote } from "../lib/batches/failure_note.ts";
import { messageOf, StageError } from "../lib/errors.ts";
import type { TextRow } from "../lib/sql/quote.ts";

/** The status of one stage. */
export interface StageStatus {
  stage: string;
  batch?: number;
  snapshotTime?: string;
  committedAt?: string;
  rows?: number;
  /** Batches of the previous stage that it has not processed yet. */
  pending?: number;
  /** Why its status is unknown, or why the stage can't go on. */
  problem?: string;
  /** What to do about the problem. */
  hint?: string;
  /** The error of the newest run, while its batch is still pending. */
  failure?: FailureNote;
}

/** The status of the platform. */
export interface Status {
  stages: StageStatus[];
  /** Now minus the snapshot time of the newest batch in the warehouse. */
  freshnessSeconds?: number;
  fresh: boolean;
  /** Why freshness is unknown, though something is loaded. */
  freshnessProblem?: string;
  /** The newest one; left out when there is none. */
  verification?: { batch: number; verifiedAt: string; differences: number };
  /** Why the newest one is too old, or that there is none. */
  verificationProblem?: string;
  quarantined: number;
  quarantine: TextRow[];
}

/** The first problem of a stage explains those that follow from it. */
export function noteProblem(stage: StageStatus, error: unknown): void {
  if (stage.problem !== undefined) return;
  stage.problem = messageOf(error);
  if (error instanceof StageError && error.hint !== undefined) {
    stage.hint = error.hint;
  }
}
