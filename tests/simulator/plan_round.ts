import type { Random } from "../../demo/random.ts";
import type { StageResult } from "../../lib/stage.ts";
import { planFaults, planGatheringFault } from "./plan_faults.ts";
import type { Fault } from "./simulated_process.ts";

type StageName = StageResult["stage"];

/** The share of transforms after an extract that merge all that is due. */
const COMPACTED_SHARE = 0.35;

/** The stages of a round: those of a list run beside each other. */
export function planStages(random: Random): StageName[][] {
  return random.weighted<{ weight: number; runs: StageName[][] }>([
    { weight: 6, runs: [["extract"], ["transform"], ["load"]] },
    { weight: 2, runs: [["extract"]] },
    { weight: 1, runs: [["transform"]] },
    { weight: 1, runs: [["load"]] },
    { weight: 1, runs: [["load"], ["transform"], ["extract"]] },
    { weight: 1, runs: [["extract", "extract"], ["transform"]] },
    { weight: 1, runs: [["transform", "transform"], ["load", "load"]] },
    { weight: 2, runs: [["extract", "transform", "load"]] },
    { weight: 1, runs: [["extract", "extract", "transform", "load"]] },
  ]).runs;
}

/** A run of a stage: its faults, and whether transform merges all that is due. */
export function planRun(
  stage: StageName,
  options: {
    random: Random;
    /** Where faults strike merges and groups, and which runs merge all. */
    gathering: Random;
    compactions: Random;
    isBehind: boolean;
    /** Whether there may be a batch to transform. */
    isAfterExtract: boolean;
  },
): { stage: StageName; faults: Fault[]; compact: boolean } {
  const { random, gathering, compactions, isBehind, isAfterExtract } = options;
  const isTransform = stage === "transform";
  const compact = isTransform && isAfterExtract &&
    compactions.fraction() < COMPACTED_SHARE;
  const faults = planFaults(stage, random);
  if (isTransform && (isBehind || compact)) {
    faults.push(planGatheringFault(gathering));
  }
  return { stage, faults, compact };
}
