import { keyParts, logParts } from "../../lib/batch_log.ts";
import type { Zone } from "../../lib/zone.ts";

const BATCH_MS = 15 * 60_000;

/**
 * Gives the files of a zone in a directory the times that they would have if
 * its batches had come every 15 minutes, for a sweep goes by these. Those that
 * are replaced keep theirs, which stores compare.
 */
export async function ageFiles(
  zone: Zone,
  options: { newest: number; now: Date },
): Promise<void> {
  const { newest, now } = options;
  for await (const { key } of zone.list("")) {
    const batch = keyParts(key)?.batch ?? logParts(key)?.batch;
    if (batch === undefined) continue;
    const time = new Date(now.getTime() - (newest - batch) * BATCH_MS);
    await Deno.utime(zone.locate(key), time, time);
  }
}
