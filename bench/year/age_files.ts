import { join } from "node:path";
import { keyParts, logParts } from "../../lib/batches/batch_log.ts";

const BATCH_MS = 15 * 60_000;
const FOLDER = /^batch=(\d+)$/;

/**
 * Gives the files of a zone in a directory, and the folders of its batches, the
 * times that they would have with a batch every 15 minutes, since a sweep goes
 * by these times. Files that are replaced keep theirs, which are compared.
 */
export async function ageFiles(
  zone: string,
  options: { newest: number; now: Date; folder?: string },
): Promise<void> {
  const { newest, now, folder = "" } = options;
  for await (const { name, isDirectory } of Deno.readDir(join(zone, folder))) {
    const key = folder + name;
    if (isDirectory) {
      await ageFiles(zone, { ...options, folder: `${key}/` });
    }
    const batch = isDirectory
      ? FOLDER.exec(name)?.[1]
      : keyParts(key)?.batch ?? logParts(key)?.batch;
    if (batch === undefined) continue;
    const time = new Date(now.getTime() - (newest - Number(batch)) * BATCH_MS);
    await Deno.utime(join(zone, key), time, time);
  }
}
