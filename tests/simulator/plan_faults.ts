import type { Random } from "../../demo/random.ts";
import type { StageResult } from "../../lib/stage.ts";
import type { Fault, FaultKind } from "./simulated_process.ts";

/** What runs in a process. */
export type RunName = StageResult["stage"] | "sweep";
type WeightedKinds = readonly { weight: number; kind: FaultKind }[];

/** About how many calls a run makes, to aim faults at. */
const CALLS: Record<RunName, number> = {
  extract: 110,
  transform: 280,
  load: 200,
  sweep: 80,
};

/**
 * Where a fault weighs most: what commits a batch and what follows that. One
 * of so many faults strikes there.
 */
const MOMENTS: Record<RunName, { weight: number; at: string }[]> = {
  extract: [
    { weight: 2, at: "create _batches/" },
    { weight: 1, at: "put _batches/latest" },
  ],
  transform: [
    { weight: 2, at: "create _batches/" },
    { weight: 1, at: "put _batches/latest" },
    { weight: 1, at: "put lake.duckdb" },
  ],
  load: [
    { weight: 1, at: "query insert into pipeline.batch" },
    { weight: 2, at: "query commit" },
  ],
  sweep: [{ weight: 1, at: "remove " }],
};
const MOMENT_SHARE = 0.25;

/** What a transform does that merges files or makes a group of batches. */
const GATHERING: readonly (Pick<Fault, "of"> & {
  weight: number;
  at: string;
})[] = [
  { weight: 2, at: "duckdb select count(*) as rows, sum(hash" },
  { weight: 1, at: "duckdb select count(*) as held" },
  { weight: 2, at: "duckdb copy (...) to ", of: "-merged." },
  { weight: 1, at: "create _live/" },
  { weight: 2, at: "create _group/" },
  { weight: 2, at: "create _batches/" },
];

/** What can be left half written, and how often a death half way is there. */
const PARTIAL: Record<RunName, string> = {
  extract: "write ",
  transform: "duckdb copy (",
  load: "copy",
  sweep: "remove ",
};
const PARTIAL_SHARE = 0.5;

const DEATHS: WeightedKinds = [
  { weight: 3, kind: "die before" },
  { weight: 3, kind: "die after" },
  { weight: 2, kind: "die half way" },
];
const KINDS: WeightedKinds = [
  ...DEATHS,
  { weight: 2, kind: "fail" },
  { weight: 3, kind: "fail after" },
  { weight: 5, kind: "late" },
];

/** The faults of one run; most have one or two. */
export function planFaults(stage: RunName, random: Random): Fault[] {
  const count = random.weighted([
    { weight: 3, faults: 0 },
    { weight: 4, faults: 1 },
    { weight: 3, faults: 2 },
    { weight: 1, faults: 4 },
  ]).faults;
  return Array.from({ length: count }, () => planFault(stage, random, KINDS));
}

/** A fault where files are merged, or where a group of batches is committed. */
export function planGatheringFault(random: Random): Fault {
  const { weight: _, ...call } = random.weighted(GATHERING);
  return { ...call, kind: random.weighted(KINDS).kind };
}

/** Where a run dies. */
export function planDeath(stage: RunName, random: Random): Fault {
  return planFault(stage, random, DEATHS);
}

function planFault(
  stage: RunName,
  random: Random,
  kinds: WeightedKinds,
): Fault {
  const { kind } = random.weighted(kinds);
  const isPartial = kind === "die half way" &&
    random.fraction() < PARTIAL_SHARE;
  return {
    at: isPartial
      ? PARTIAL[stage]
      : random.fraction() < MOMENT_SHARE
      ? random.weighted(MOMENTS[stage]).at
      : random.between(1, CALLS[stage]),
    kind,
  };
}
