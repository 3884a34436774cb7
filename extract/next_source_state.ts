import type {
  IngestionManifest,
  SourceState,
} from "../lib/batches/manifest.ts";
import { toRanges } from "./watermark_sql.ts";
import { isSameDatabase, UNKNOWN } from "./server_state.ts";
import type { Snapshot } from "./snapshot.ts";

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
