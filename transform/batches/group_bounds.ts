import type { GroupBounds, StageContext } from "../../lib/stage.ts";

/** The bounds on which pending batches are made in one pass. */
export const GROUP_BOUNDS: GroupBounds = {
  batchesMin: 20,
  batchesMax: 500,
  bytesMax: 64_000_000,
};

/** The bounds of a run. */
export function groupBounds({ grouping }: StageContext): GroupBounds {
  return { ...GROUP_BOUNDS, ...grouping };
}
