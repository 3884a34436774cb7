import type {
  IngestionManifest,
  SourceState,
} from "../lib/batches/manifest.ts";
import { query } from "../lib/postgres/postgres.ts";
import type { StageContext } from "../lib/stage.ts";
import { toRanges } from "./late_commits.ts";
import { isSameDatabase, UNKNOWN } from "./server_state.ts";
import type { Snapshot } from "./snapshot.ts";
import watermarkHoldersSql from "./watermark_holders.sql" with { type: "text" };

const WATERMARK_AGE_MS_MAX = 3_600_000;
/** How many databases that the source was before are remembered. */
const EARLIER_MAX = 20;

/** The state of the source that the next batch needs to know. */
export function nextSourceState(
  snapshot: Snapshot,
  options: { writers: bigint[]; previous: IngestionManifest | undefined },
): SourceState {
  const { writers, previous } = options;
  const { watermark, nextId } = snapshot;
  const stands = previous?.source.fence === String(watermark);
  const moved = previous !== undefined &&
    !isSameDatabase(previous.source.databaseId, snapshot.databaseId);
  // An id that the source no longer shows has not changed.
  const databaseId = !moved && snapshot.databaseId.includes(UNKNOWN)
    ? previous?.source.databaseId ?? snapshot.databaseId
    : snapshot.databaseId;
  const earlier = [
    ...previous?.source.earlier ?? [],
    ...moved ? [previous.source.databaseId] : [],
  ].filter((id) => id !== databaseId);
  return {
    databaseId,
    earlier: [...new Set(earlier)].slice(-EARLIER_MAX),
    timeline: snapshot.timeline || (moved ? 0 : previous?.source.timeline ?? 0),
    fence: String(watermark),
    fenceSince: stands ? previous.source.fenceSince : snapshot.time,
    nextId: String(nextId),
    shipped: toRanges(writers),
  };
}

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
