import type { BatchLog } from "../lib/batches/batch_log.ts";
import type { Manifest } from "../lib/batches/manifest.ts";
import type { StageContext } from "../lib/stage.ts";

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
