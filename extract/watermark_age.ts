import type { SourceState } from "../lib/batches/manifest.ts";
import { query } from "../lib/postgres/postgres.ts";
import type { StageContext } from "../lib/stage.ts";
import type { Snapshot } from "./snapshot.ts";
import watermarkHoldersSql from "./watermark_holders.sql" with { type: "text" };

const WATERMARK_AGE_MS_MAX = 3_600_000;

/** Warns who holds the watermark back, once it has stood for an hour. */
export async function warnOfOldWatermark(
  snapshot: Snapshot,
  options: { source: SourceState; context: StageContext },
): Promise<void> {
  const { source, context } = options;
  const ageMs = Date.parse(snapshot.time) - Date.parse(source.fenceSince);
  if (ageMs < WATERMARK_AGE_MS_MAX) return;
  const holders = await snapshot.use((client) =>
    query(client, watermarkHoldersSql, [source.fence])
  );
  context.log.warn(
    "the xmin watermark has stood still for {minutes} minutes, held back by {holders}: each run scans more rows until that transaction ends",
    {
      minutes: Math.round(ageMs / 60_000),
      holders: holders.map((row) => row.holder).join("; ") ||
        "a transaction that this role may not see",
    },
  );
}
