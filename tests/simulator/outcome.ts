/** The result of a history. */
export interface Outcome {
  seed: number;
  zones: "directory" | "S3";
  batches: number;
  /** Runs of stages, and how many of them did not end well. */
  runs: number;
  failed: number;
  /** Faults that struck. */
  faults: string[];
  /** How many of them struck in merges, and in commits of groups. */
  struckIn: { merges: number; groups: number };
  /** Runs that merged all that was due, and sweeps, faults included. */
  compactions: number;
  sweeps: number;
  /** Times that a reader saw a batch, in the warehouse or in the lake. */
  reads: { warehouse: number; lake: number };
  /** What was done, in order. */
  story: string[];
}

/** The counts of a history in which nothing has happened yet. */
export function emptyTally(): Omit<Outcome, "seed" | "zones" | "story"> {
  return {
    batches: 0,
    runs: 0,
    failed: 0,
    faults: [],
    struckIn: { merges: 0, groups: 0 },
    compactions: 0,
    sweeps: 0,
    reads: { warehouse: 0, lake: 0 },
  };
}
