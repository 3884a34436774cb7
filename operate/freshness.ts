import type { BatchLog } from "../lib/batches/batch_log.ts";
import type { Manifest } from "../lib/batches/manifest.ts";
import { ageSeconds } from "../lib/lambda/stage_metrics.ts";
import type { StageContext } from "../lib/stage.ts";
import { duration } from "./format_status.ts";
import type { Status } from "./stage_status.ts";

/**
 * Since when the next batch has waited for a stage, if longer than half of
 * `FRESHNESS_MINUTES_MAX`: a running stage processes it within minutes, and one
 * that cannot write can't always report that. Times by this machine's clock and
 * the store's.
 */
export async function overdueSince(
  { config, clock }: StageContext,
  options: { log: BatchLog<Manifest>; batch: number },
): Promise<Date | undefined> {
  const { log, batch } = options;
  const manifest = await log.find(batch);
  if (manifest === undefined) return undefined;
  const since = new Date(manifest.committedAt);
  const minutes = (clock().getTime() - since.getTime()) / 60_000;
  return minutes > config.freshnessMinutesMax / 2 ? since : undefined;
}

/**
 * How old the warehouse's newest snapshot is, by its clock. One in the future
 * does not show that.
 */
export function freshnessOf(
  seconds: number,
): Pick<Status, "freshnessSeconds" | "freshnessProblem"> {
  const age = ageSeconds(seconds);
  if (age !== undefined) return { freshnessSeconds: age };
  return {
    freshnessProblem: `the newest snapshot's time is ${
      duration(-seconds)
    } in the future: the source's clock was wrong when it was taken, or the warehouse's is now`,
  };
}
