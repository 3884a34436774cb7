import { LAKE_FILE, readLakeNote } from "../../lib/batches/lake_note.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { unsealed } from "./sealed_file.ts";

/**
 * What the published `lake.duckdb` shows, as `shownHash` gives it, read without
 * DuckDB. Undefined if that isn't known: there is none, somebody changed it, an
 * earlier version made it, or a note waits for it to be replaced.
 */
export async function readShown(zone: Zone): Promise<string | undefined> {
  const stored = await zone.read(LAKE_FILE).catch(() => undefined);
  const shows = stored && unsealed(stored.bytes)?.shows;
  if (shows === undefined) return undefined;
  // Only its replacement makes that void.
  const isCurrent = await readLakeNote(zone).then(
    (note) => note === undefined,
    () => false,
  );
  return isCurrent ? shows : undefined;
}
