import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { extract } from "../extract/extract.ts";
import type { Snapshot } from "../extract/snapshot.ts";
import { BatchLog } from "../lib/batch_log.ts";
import { forStage } from "../lib/command.ts";
import { StageError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import type { StageContext } from "../lib/stage.ts";
import type { ProcessedManifest } from "../lib/manifest.ts";
import { openTempFolder } from "../lib/temp_folder.ts";
import { openZone, type Zone } from "../lib/zone.ts";
import { load } from "../load/load.ts";
import {
  filesOfManifest,
  type LakeFile,
} from "../transform/files_of_batches.ts";
import { transform } from "../transform/transform.ts";

/** A state of the source, and what every model should hold for it. */
export interface ExpectedLake extends AsyncDisposable {
  /** The batch of the real lake that is of the same snapshot. */
  batch: number;
  snapshotTime: string;
  zone: Zone;
  /** Makes the models' files; they are the first batch of a lake. */
  make: () => Promise<{ files: LakeFile[]; manifest: ProcessedManifest }>;
}

/** Other runs may take the number of a batch so many times. */
const ATTEMPTS_MAX = 5;
/** How long another run may hold up the batch on its way. */
const WAIT_MS = 1000;
const WAITS_MAX = 600;

/**
 * Extracts a batch and, from the same snapshot, every table whole into a
 * temporary folder; then brings that batch through the real lake and into the
 * warehouse. The folder takes about as much space as the source has as CSV.
 */
export async function openExpectedLake(
  context: StageContext,
): Promise<ExpectedLake> {
  const folder = await openTempFolder(context.config);
  const apart = contextApart(context, folder.path);
  try {
    const { batch, snapshotTime } = await extractTwice(context, apart);
    await bringThrough(context);
    const zone = openZone(apart.config.processedUrl, { s3: undefined });
    return {
      batch,
      snapshotTime,
      zone,
      make: async () => {
        await transform(apart);
        const manifest = await new BatchLog<ProcessedManifest>(
          zone,
          "transform",
        ).read(1);
        return { files: filesOfManifest(manifest), manifest };
      },
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/** The same stages, in zones of their own that nobody is told of. */
function contextApart(context: StageContext, folder: string): StageContext {
  const { config, progress } = context;
  return {
    ...context,
    config: {
      ...config,
      ingestionUrl: join(folder, "ingestion"),
      processedUrl: join(folder, "processed"),
      s3: undefined,
      quarantineRowsMax: Number.POSITIVE_INFINITY,
    },
    log: silentLog(),
    progress: {
      ...progress,
      begin: (what, total) => progress.begin(`verify: ${what}`, total),
    },
  };
}

async function extractTwice(
  context: StageContext,
  apart: StageContext,
): Promise<{ batch: number; snapshotTime: string }> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const { batches: [batch], snapshotTime } = await extract(
      forStage(context, "extract"),
      {
        whileOpen: async (snapshot: Snapshot) => {
          await extract(apart, { snapshot });
        },
      },
    );
    if (batch !== undefined && snapshotTime !== undefined) {
      return { batch, snapshotTime };
    }
  }
  throw new StageError(
    `Cannot verify: other runs committed a batch first ${ATTEMPTS_MAX} times`,
    {
      subject: context.config.ingestionUrl,
      retryable: true,
      hint: "Try again; one deployment alone should write there",
    },
  );
}

/** Transforms and loads up to the batch; other runs may be at it as well. */
async function bringThrough(context: StageContext): Promise<void> {
  for (let wait = 0; wait < WAITS_MAX; wait++) {
    const transformed = await transform(forStage(context, "transform"));
    const loaded = await load(forStage(context, "load"));
    if (!transformed.overtaken && !loaded.overtaken) return;
    await sleep(WAIT_MS, undefined, { signal: context.signal });
  }
  throw new StageError(
    `Cannot verify: another run has kept the batch from the warehouse for ${
      WAITS_MAX * WAIT_MS / 60_000
    } minutes`,
    {
      subject: context.config.processedUrl,
      retryable: true,
      hint: "See what the other run does, then try again",
    },
  );
}
