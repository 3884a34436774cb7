import type pg from "pg";
import { BatchLog } from "../lib/batch_log.ts";
import { StageError } from "../lib/errors.ts";
import type { ProcessedManifest } from "../lib/manifest.ts";
import { serverName } from "../lib/postgres.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import { loadError } from "./load_error.ts";
import { openLoader, warehouseOf } from "./open_loader.ts";

/** Longer than any load but a first one takes. */
const WAIT_SECONDS = 1800;

/** What is at hand while nobody else loads. */
export interface NewestBatch {
  client: pg.Client;
  batches: BatchLog<ProcessedManifest>;
  newest: ProcessedManifest;
}

/**
 * Waits until it alone loads into the warehouse, and does some work there with
 * the newest batch of the processed zone. Throws a `StageError` when the zone
 * holds none, or others load for longer than it waits.
 */
export async function withNewestBatch<Result>(
  context: StageContext,
  options: {
    /** What can't be done when it fails: a verb. */
    task: string;
    waitSeconds?: number | undefined;
  },
  work: (at: NewestBatch) => Promise<Result>,
): Promise<Result> {
  const { task, waitSeconds = WAIT_SECONDS } = options;
  const server = serverName(warehouseOf(context));
  const zone = openStageZone(context, "processed");
  try {
    await using loader = await openLoader(context, { waitSeconds });
    // What was in force before the wait may be replaced by now.
    const batches = new BatchLog<ProcessedManifest>(zone, "transform");
    const newest = await batches.newest();
    if (newest === undefined) {
      throw new StageError(
        `Cannot ${task} ${server}: ${zone.url} holds no batch`,
        {
          subject: zone.url,
          hint: "Check that PROCESSED_URL is right, and run transform",
        },
      );
    }
    return await work({ client: loader.client, batches, newest });
  } catch (error) {
    throw loadError(error, server);
  } finally {
    context.progress.end();
    zone.close();
  }
}
