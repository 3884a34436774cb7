import { BatchLog } from "../lib/batches/batch_log.ts";
import {
  activateGeneration,
  readGeneration,
} from "../lib/batches/generation.ts";
import type {
  IngestionManifest,
  ProcessedManifest,
} from "../lib/batches/manifest.ts";
import { messageOf, StageError } from "../lib/errors.ts";
import {
  openStageZone,
  type StageContext,
  type StageResult,
  startRun,
} from "../lib/stage.ts";
import { checkContinuity } from "./continuity.ts";
import { makeBatches, type Reached } from "./make_batches.ts";
import { publishLake } from "./publish_lake.ts";
import { registerModels } from "./register_models.ts";

/** How often a rebuild catches up with batches that came while it ran. */
const ROUNDS_MAX = 10;

/**
 * Rebuilds every batch of the processed zone from the ingestion zone, as
 * another generation beside the active one, then activates it with one put.
 * Until then nobody reads it; a run that ends earlier leaves garbage. Throws a
 * `StageError` if it would lose a batch that exists now.
 */
export async function rebuildProcessed(
  context: StageContext,
): Promise<StageResult> {
  const { config, resources, sql, log } = context;
  const ingestion = openStageZone(context, "ingestion");
  const processed = openStageZone(context, "processed");
  try {
    const result: StageResult = {
      stage: "transform",
      batches: [],
      rows: 0,
      bytes: 0,
    };
    const { runId: generation, isExpired } = startRun(context);
    const from = await readGeneration(processed);
    const input = new BatchLog<IngestionManifest>(ingestion, "extract");
    const live = new BatchLog<ProcessedManifest>(processed, "transform", {
      generation: from.id,
    });
    const output = new BatchLog<ProcessedManifest>(processed, "transform", {
      generation,
    });
    await checkLive(context, { input, live });
    await using duckdb = await resources.openDuckDb(config, {
      zones: [ingestion.url, processed.url],
    });
    const columns = await registerModels(duckdb, sql);
    let made: Reached | undefined;
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      const last = await input.newest();
      if (last === undefined) break;
      made = await makeBatches(context, {
        input,
        output,
        duckdb,
        columns,
        previous: made?.committed,
        last,
        result,
      });
      if (await live.newestNumber() <= last.batch) break;
    }
    const newest = made?.committed;
    const reached = newest?.batch ?? 0;
    const wanted = await live.newestNumber();
    if (newest === undefined || reached < wanted || isExpired()) {
      throw new StageError(
        `Cannot rebuild ${processed.url}: ${
          reached === 0
            ? `${ingestion.url} holds no batch`
            : reached < wanted
            ? `the rebuilt generation has batch ${reached}, the active one has ${wanted}`
            : "this run began over 12 hours ago"
        }`,
        {
          subject: processed.url,
          hint:
            "Nothing was changed. Check that INGESTION_URL is right, then run it again",
        },
      );
    }
    context.signal.throwIfAborted();
    if (!await activateGeneration(processed, { from, to: generation })) {
      log.warn("another rebuild activated its generation first");
      return { ...result, batches: [], overtaken: true };
    }
    log.info("generation {generation} is active, up to batch {batch}", {
      generation,
      batch: newest.batch,
    });
    await publishLake(duckdb, {
      zone: processed,
      batches: output,
      newest,
      live: made?.live,
      sql,
      columns,
      log,
    });
    return { ...result, snapshotTime: newest.snapshotTime };
  } finally {
    context.progress.end();
    ingestion.close();
    processed.close();
  }
}

/**
 * The active generation must have come from this ingestion zone. It may be
 * damaged: it is to be replaced.
 */
async function checkLive(
  context: StageContext,
  options: {
    input: BatchLog<IngestionManifest>;
    live: BatchLog<ProcessedManifest>;
  },
): Promise<void> {
  const { input, live } = options;
  let previous: ProcessedManifest | undefined;
  try {
    previous = await live.newest();
  } catch (error) {
    if (!(error instanceof StageError) || error.retryable) throw error;
    context.log.warn("the generation to be replaced can't be read: {reason}", {
      reason: messageOf(error),
    });
  }
  if (previous !== undefined) await checkContinuity(previous, { input });
}
