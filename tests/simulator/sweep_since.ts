import { BatchLog, manifestKey } from "../../lib/batches/batch_log.ts";
import { readGeneration } from "../../lib/batches/generation.ts";
import { readLiveFiles } from "../../lib/batches/live_files.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { openStageZone, type StageContext } from "../../lib/stage.ts";
import { sweep, type SweepResult } from "../../sweep/sweep.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { openLake } from "../harness/readers/oracle.ts";
import type { Platform } from "../harness/platform.ts";

/** A sweep keeps unlisted files that are younger than this. */
const SPARED_MS = 48 * 3_600_000;
/** A store may date a file by a clock that steps. */
const STEP_MS = { directory: 20, S3: 1000 };

/**
 * Sweeps a zone as if 48 hours had passed since a moment: what was there before
 * is old, and all that runs since then is young.
 */
export async function sweepSince(
  context: StageContext,
  options: { zone: SweepResult["zone"]; sinceMs: number },
): Promise<SweepResult> {
  const { zone, sinceMs } = options;
  const isS3 = context.config.processedUrl.startsWith("s3:");
  const step = isS3 ? STEP_MS.S3 : STEP_MS.directory;
  const before = Math.floor((sinceMs - step) / step) * step;
  const resources = changedZones(context.resources, (store) => ({
    now: async () => {
      await store.now();
      return new Date(before + SPARED_MS);
    },
  }));
  return await sweep({ ...context, resources }, { zone });
}

/**
 * When the published lake began to list what the newest batch doesn't: readers
 * have 48 hours from then. Infinite if it lists nothing else.
 */
export async function lakeIsStaleSince(platform: Platform): Promise<number> {
  const zone = openStageZone(platform.context, "processed");
  try {
    if (await zone.head("lake.duckdb") === undefined) return Infinity;
    const { batch, keys } = await publishedFiles(platform);
    const { id } = await readGeneration(zone);
    // A manifest that is committed meanwhile is later than this one.
    const next = await zone.head(manifestKey(batch + 1, id));
    const log = new BatchLog<ProcessedManifest>(zone, "transform");
    const live = await readLiveFiles(log, await log.newest());
    const listed = new Set(live.map(({ key }) => key));
    return keys.every((key) => listed.has(key)) || next === undefined
      ? Infinity
      : next.modified.getTime();
  } finally {
    zone.close();
  }
}

async function publishedFiles(
  platform: Platform,
): Promise<{ batch: number; keys: string[] }> {
  await using lake = await openLake(platform);
  const [about] = await lake.rows("from totes.lake.about");
  const files = await lake.rows("select key from totes.lake.files");
  return {
    batch: Number(about?.batch),
    keys: files.map(({ key }) => key ?? ""),
  };
}
